//! The public log: who changed what, by which rule, and why.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_store::{Action, Actor, LogEntry, LogFilter};

use crate::extract::{Limited, Query};
use crate::limits::Read;
use crate::pages::ago::Ago;
use crate::pages::frame::Frame;
use crate::pages::page;
use crate::pages::row::{Pager, Start};
use crate::problem::Result;
use crate::web::Web;

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    frame: Frame,
    lines: Vec<Line>,
    pager: Pager,
}

/// One entry of the log in words.
pub(crate) struct Line {
    pub(crate) at: Ago,
    pub(crate) who: String,
    pub(crate) who_is_member: bool,
    pub(crate) did: &'static str,
    pub(crate) title: Option<String>,
    pub(crate) suggestion: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) because: Option<String>,
    pub(crate) reason: Option<String>,
}

/// What an action is in words, after the name of who did it.
pub(crate) fn did(action: Action) -> &'static str {
    match action {
        Action::Imported => "imported a list",
        Action::Suggested => "made a suggestion",
        Action::Approving => "began the last delay before it is applied",
        Action::Reopened => "opened it again: its rule no longer held",
        Action::Approved => "approved and applied it",
        Action::Rejected => "rejected it",
        Action::Stopped => "stopped its approval by rule",
        Action::Withdrawn => "took the suggestion back",
        Action::Conflicted => "could not apply it: the resource had changed",
        Action::Reverted => "reverted it",
        Action::RoleChanged => "changed a member’s role",
        Action::Banned => "shut a member out",
        Action::Unbanned => "let a member in again",
    }
}

impl Line {
    /// Puts an entry into words.
    pub(crate) fn new(entry: &LogEntry, frame: &Frame) -> Line {
        let (who, who_is_member) = match (entry.actor, &entry.username) {
            (Actor::Member, Some(name)) => (name.clone(), true),
            (Actor::Member, None) => ("A member".to_owned(), false),
            (Actor::Rule, _) => ("The community’s votes".to_owned(), false),
            (Actor::System, _) => ("The site".to_owned(), false),
        };
        let text = |document: &Option<upshelf_store::Document>, field: &str| {
            let value = serde_json::to_value(document).ok()?;
            value.get(field)?.as_str().map(str::to_owned)
        };
        Line {
            at: frame.ago(&entry.at),
            who,
            who_is_member,
            did: did(entry.action),
            title: text(&entry.after, "title").or_else(|| text(&entry.before, "title")),
            suggestion: entry.suggestion_id.map(|id| id.to_string()),
            resource: entry.resource_id.map(|id| id.to_string()),
            because: match (text(&entry.rule, "rule"), text(&entry.rule, "summary")) {
                (Some(rule), Some(summary)) => Some(format!("Rule “{}”: {summary}", rule.replace('_', " "))),
                _ => None,
            },
            reason: entry.reason.clone().filter(|reason| !reason.is_empty()),
        }
    }
}

/// `GET /log`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Query(asked): Query<Start>,
) -> Result<Response> {
    let found = web.catalog().log(&LogFilter::default(), &asked.page()?).await?;
    page(&LogPage {
        lines: found.items.iter().map(|entry| Line::new(entry, &frame)).collect(),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    })
}
