//! Switching a kind of mail off from the mail itself (RFC 8058), by whoever holds the link.
//!
//! A `GET` only asks: programs that look at the links of a mail must not switch anything off. A `POST` does it, from
//! a mail provider or from the page's one button, without signing in; its body is not looked at.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use upshelf_catalog::MailKind;

use crate::extract::Limited;
use crate::limits::Read;
use crate::pages::frame::Frame;
use crate::pages::{page, settings};
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "unsubscribe.html")]
struct UnsubscribePage {
    frame: Frame,
    what: &'static str,
    is_done: bool,
}

/// The mails in words, as in "Mails about …".
fn named(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Digest => "The daily mail",
        MailKind::Event(kind) => settings::label(kind),
    }
}

fn found(kind: Option<MailKind>) -> Result<&'static str> {
    kind.map(named).ok_or_else(|| Problem::not_found("link; it may have been cut off on its way"))
}

/// `GET /unsubscribe/{token}`
pub(crate) async fn show(
    // One address may stand for all the members of a mail provider.
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Path(token): Path<String>,
) -> Result<Response> {
    let what = found(web.catalog().find_unsubscribe(&token).await?)?;
    page(&UnsubscribePage { frame, what, is_done: false })
}

/// `POST /unsubscribe/{token}`: answers with a page and never leads elsewhere, as RFC 8058 asks.
pub(crate) async fn act(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Path(token): Path<String>,
) -> Result<Response> {
    let what = found(web.catalog().unsubscribe(&token).await?)?;
    page(&UnsubscribePage { frame, what, is_done: true })
}
