//! Mails as they were written: without a mail server, this is where they can be read.

use askama::Template;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{Html, IntoResponse, Response};
use upshelf_store::{Mail, MailId};

use crate::edge::Frames;
use crate::extract::{Admin, Id, Limited, Query};
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

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage {
    frame: Frame,
    mail: Mail,
    written: Ago,
    sent: Option<Ago>,
}

/// `GET /admin/outbox`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    admin: Admin,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let found = web.catalog().mails(&admin.0, &asked.page()?).await?;
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

/// `GET /admin/outbox/{id}`
pub(crate) async fn mail(
    _: Limited<Read>,
    State(web): State<Web>,
    admin: Admin,
    frame: Frame,
    Id(id): Id<MailId>,
) -> Result<Response> {
    let mail = web.catalog().mail(&admin.0, id).await?;
    let (written, sent) = (frame.ago(&mail.created_at), mail.sent_at.as_ref().map(|at| frame.ago(at)));
    let mut reply = page(&MailPage { frame, mail, written, sent })?;
    reply.extensions_mut().insert(Frames::Holds);
    Ok(reply)
}

/// `GET /admin/outbox/{id}/html`: the mail's HTML, for the frame on the page of the mail and for nothing else.
pub(crate) async fn html(
    _: Limited<Read>,
    State(web): State<Web>,
    admin: Admin,
    Id(id): Id<MailId>,
) -> Result<Response> {
    let mail = web.catalog().mail(&admin.0, id).await?;
    let mut reply = ([(CACHE_CONTROL, "private, no-store")], Html(mail.html)).into_response();
    reply.extensions_mut().insert(Frames::IsIn);
    Ok(reply)
}
