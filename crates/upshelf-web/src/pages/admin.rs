//! Who looks after the site: its members, and the way to its other parts.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::AnalyticsView;
use upshelf_store::{Member as Account, MemberId, Role};

use crate::extract::{Admin, Id, Limited, Query, Recent};
use crate::limits::{Read, Write};
use crate::pages::ago::Ago;
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::page;
use crate::pages::row::{Pager, Start};
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    frame: Frame,
    numbers: AnalyticsView,
    open: i64,
    members: Vec<Entry>,
    pager: Pager,
}

/// A member of the list.
struct Entry {
    id: String,
    username: String,
    email: String,
    role: Role,
    joined: Ago,
    is_banned: bool,
    is_self: bool,
}

impl Entry {
    fn new(member: &Account, frame: &Frame) -> Entry {
        Entry {
            id: member.id.to_string(),
            username: member.username.clone(),
            email: member.email.clone(),
            role: member.role,
            joined: frame.ago(&member.joined_at),
            is_banned: member.banned_at.is_some(),
            is_self: frame.is(&member.id),
        }
    }
}

/// `GET /admin`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    _admin: Admin,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let numbers = web.catalog().analytics(30).await?;
    let found = web.catalog().members(&asked.page()?).await?;
    page(&AdminPage {
        open: numbers.suggestions.get("open").copied().unwrap_or(0),
        numbers,
        members: found.items.iter().map(|member| Entry::new(member, &frame)).collect(),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    })
}

/// `POST /admin/members/{id}`: another role, shut out, or let in again.
pub(crate) async fn change_member(
    _: Limited<Write>,
    State(web): State<Web>,
    Admin(admin): Admin,
    _recent: Recent,
    Id(id): Id<MemberId>,
    form: Form,
) -> Result<Response> {
    match form.value("act") {
        "role" => web.catalog().change_role(&admin, id, form.parse("role")?).await?,
        "ban" => web.ban(&admin, id, form.value("reason")).await?,
        "unban" => web.catalog().unban(&admin, id).await?,
        _ => return Err(Problem::invalid("act", "This value cannot be taken.")),
    };
    Ok(see("/admin", "saved"))
}
