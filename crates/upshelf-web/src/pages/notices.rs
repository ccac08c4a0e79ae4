//! A member's inbox.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::NoticeView;

use crate::extract::{Limited, Member, Query};
use crate::limits::{Read, Write};
use crate::pages::ago::Ago;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::page;
use crate::pages::row::{Pager, Start};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "notices.html")]
struct NoticesPage {
    frame: Frame,
    notices: Vec<Line>,
    newest: i64,
    is_first: bool,
    pager: Pager,
}

/// One notice.
struct Line {
    text: String,
    href: String,
    reason: Option<String>,
    at: Ago,
    is_unread: bool,
}

impl Line {
    fn new(notice: &NoticeView, frame: &Frame) -> Line {
        let about = &notice.payload;
        let href = match (&about.suggestion, &about.resource) {
            (Some(suggestion), _) => match about.comment_id {
                Some(comment) => format!("/suggestions/{}#c-{comment}", suggestion.id),
                None => format!("/suggestions/{}", suggestion.id),
            },
            (None, Some(resource)) => format!("/resources/{}", resource.id),
            (None, None) => "/settings".to_owned(),
        };
        Line {
            text: about.text.clone(),
            href,
            reason: about.reason.clone().filter(|reason| !reason.is_empty()),
            at: frame.ago(&notice.created_at),
            is_unread: notice.read_at.is_none(),
        }
    }
}

/// `GET /notices`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let is_first = asked.is_first();
    let found = web.catalog().notices(&member, false, &asked.page()?).await?;
    page(&NoticesPage {
        notices: found.items.iter().map(|notice| Line::new(notice, &frame)).collect(),
        newest: found.items.iter().map(|notice| notice.seq).max().unwrap_or(0),
        is_first,
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    })
}

/// `POST /notices`: all up to the newest one that was shown are read; one that came since stays.
pub(crate) async fn read(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    form: Form,
) -> Result<Response> {
    web.catalog().read_notices(&member, form.parse("up_to")?).await?;
    Ok(see("/notices", "read"))
}
