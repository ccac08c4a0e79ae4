//! The public log: who changed what, by which rule, and why.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_store::{Action, Actor, LogEntry, LogFilter, ResourceId, SuggestionId, SuggestionKind};

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
    pub(crate) title: String,
    pub(crate) href: String,
    pub(crate) because: Option<String>,
    pub(crate) reason: Option<String>,
}

/// What an action is in words, between the name of who did it and what it was done to.
pub(crate) fn did(action: Action, kind: Option<SuggestionKind>) -> &'static str {
    match (action, kind) {
        (Action::Imported, _) => "imported a list",
        (Action::Suggested, Some(SuggestionKind::Add)) => "suggested an addition",
        (Action::Suggested, Some(SuggestionKind::Edit)) => "suggested an edit",
        (Action::Suggested, Some(SuggestionKind::Move)) => "suggested a move",
        (Action::Suggested, Some(SuggestionKind::Remove)) => "suggested a removal",
        (Action::Suggested, None) => "made a suggestion",
        (Action::Approving, _) => "reached the rule; the last delay runs",
        (Action::Reopened, _) => "fell below the rule; it is open again",
        (Action::Approved, Some(SuggestionKind::Add)) => "approved an addition",
        (Action::Approved, Some(SuggestionKind::Edit)) => "approved an edit",
        (Action::Approved, Some(SuggestionKind::Move)) => "approved a move",
        (Action::Approved, Some(SuggestionKind::Remove)) => "approved a removal",
        (Action::Approved, None) => "approved a suggestion",
        (Action::Rejected, _) => "rejected a suggestion",
        (Action::Stopped, _) => "stopped approval by rule",
        (Action::Withdrawn, _) => "took a suggestion back",
        (Action::Conflicted, _) => "could not apply a suggestion, for the resource had changed",
        (Action::Reverted, _) => "went back to an earlier version",
        (Action::RoleChanged, _) => "changed a member’s role",
        (Action::Banned, _) => "shut a member out",
        (Action::Unbanned, _) => "let a member in again",
    }
}

/// What the suggestions and resources of a log are called.
#[derive(Default)]
pub(crate) struct Titles {
    suggestions: HashMap<SuggestionId, (SuggestionKind, Option<String>)>,
    resources: HashMap<ResourceId, String>,
}

impl Titles {
    /// Looks up what entries are about.
    pub(crate) async fn of(web: &Web, entries: &[LogEntry]) -> Result<Titles> {
        let mut suggestions: Vec<SuggestionId> =
            entries.iter().filter_map(|entry| entry.suggestion_id).collect();
        suggestions.sort_unstable();
        suggestions.dedup();
        let mut tx = web.catalog().store().read().await?;
        let suggestions = tx.list_suggestions_of(&suggestions).await?;
        let mut resources: Vec<ResourceId> = entries.iter().filter_map(|entry| entry.resource_id).collect();
        resources.extend(suggestions.iter().filter_map(|suggestion| suggestion.resource_id));
        resources.sort_unstable();
        resources.dedup();
        let resources = tx.list_resources_of(&resources).await?;
        let resources: HashMap<_, _> = resources.into_iter().map(|one| (one.id, one.title)).collect();
        let suggestions = suggestions.into_iter().map(|one| {
            let current = one.resource_id.and_then(|id| resources.get(&id).cloned());
            (one.id, (one.kind, one.before.0.title.or(current).or(one.changes.0.title)))
        });
        Ok(Titles { suggestions: suggestions.collect(), resources })
    }
}

impl Line {
    /// Puts an entry into words.
    pub(crate) fn new(entry: &LogEntry, titles: &Titles, frame: &Frame) -> Line {
        let (who, who_is_member) = who(entry.actor, entry.username.as_deref());
        let rule = |field: &str| {
            let value = entry.rule.as_ref()?.0.get(field)?.as_str()?;
            Some(value.replace('_', " "))
        };
        let suggestion = entry.suggestion_id.and_then(|id| titles.suggestions.get(&id));
        let resource = entry.resource_id.and_then(|id| titles.resources.get(&id).cloned());
        let member = entry.after.as_ref().and_then(|after| after.0.get("username")?.as_str());
        let (title, href) = match (entry.suggestion_id, entry.resource_id, member) {
            (Some(id), ..) => {
                (suggestion.and_then(|(_, title)| title.clone()).or(resource), format!("/suggestions/{id}"))
            }
            (None, Some(id), _) => (resource, format!("/resources/{id}")),
            (None, None, Some(name)) => (Some(name.to_owned()), format!("/members/{name}")),
            (None, None, None) => (None, String::new()),
        };
        Line {
            at: frame.ago(&entry.at),
            who,
            who_is_member,
            did: did(entry.action, suggestion.map(|(kind, _)| *kind)),
            title: title.unwrap_or_default(),
            href,
            because: match (rule("rule"), rule("summary")) {
                (Some(rule), Some(summary)) => Some(format!("Rule “{rule}”: {summary}")),
                _ => None,
            },
            reason: entry.reason.clone().filter(|reason| !reason.is_empty()),
        }
    }
}

/// Names who did something, and says whether it is a member.
pub(crate) fn who(actor: Actor, username: Option<&str>) -> (String, bool) {
    match (actor, username) {
        (Actor::Member, Some(name)) => (name.to_owned(), true),
        (Actor::Member, None) => ("A member".to_owned(), false),
        (Actor::Rule, _) => ("The community’s votes".to_owned(), false),
        (Actor::System, _) => ("The site".to_owned(), false),
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
    let titles = Titles::of(&web, &found.items).await?;
    page(&LogPage {
        lines: found.items.iter().map(|entry| Line::new(entry, &titles, &frame)).collect(),
        pager: Pager::new(&frame, found.next_cursor.as_deref()),
        frame,
    })
}
