//! Mails as they were written: without a mail server, this is where they can be read.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_store::Mail;

use crate::extract::{Admin, Limited, Query};
use crate::limits::Read;
use crate::pages::ago::Ago;
use crate::pages::frame::Frame;
use crate::pages::page;
use crate::pages::row::{Pager, Start};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage {
    frame: Frame,
    mails: Vec<(Mail, Ago, Option<Ago>)>,
    pager: Pager,
}

/// `GET /admin/outbox`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    _admin: Admin,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let found = web.catalog().store().read().await?.list_mails(&asked.page()?).await?;
    let dated = |mail: Mail| {
        let (written, sent) = (frame.ago(&mail.created_at), mail.sent_at.as_ref().map(|at| frame.ago(at)));
        (mail, written, sent)
    };
    page(&OutboxPage {
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        mails: found.items.into_iter().map(dated).collect(),
        frame,
    })
}
