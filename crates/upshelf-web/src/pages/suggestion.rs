//! One suggestion: what it changes, its votes, its rule, what people say, and the curators' buttons.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use upshelf_catalog::{Condition, MAX_REASON, SuggestionView};
use upshelf_store::{LogFilter, PageRequest, SuggestionId, SuggestionKind};
use uuid::Uuid;

use crate::extract::{Id, Limited, Member, Path};
use crate::limits::{Comment, Read, Write};
use crate::pages::ago::Ago;
use crate::pages::card::{Progress, Votes, address, title};
use crate::pages::diff::{self, FieldDiff};
use crate::pages::form::Form;
use crate::pages::frame::{Frame, see};
use crate::pages::log::{Line, Titles};
use crate::pages::markdown::{self, Safe};
use crate::pages::row::host;
use crate::pages::{page, page_as};
use crate::problem::{Problem, Result};
use crate::web::Web;

#[derive(Template)]
#[template(path = "suggestion.html")]
struct SuggestionPage {
    frame: Frame,
    title: String,
    href: String,
    host: String,
    is_addition: bool,
    is_removal: bool,
    is_open: bool,
    is_own: bool,
    votes: Votes,
    fields: Vec<FieldDiff>,
    reason: Safe,
    opened: Ago,
    applied: Option<Ago>,
    decided: Option<Ago>,
    progress: Progress,
    conditions: Vec<(bool, String)>,
    comments: Vec<Said>,
    log: Vec<Line>,
    form: Form,
    max_reason: usize,
    view: SuggestionView,
}

/// A comment.
struct Said {
    id: String,
    author: String,
    at: Ago,
    body: Safe,
}

/// `GET /suggestions/{id}`
pub(crate) async fn show(
    _: Limited<Read>,
    State(web): State<Web>,
    frame: Frame,
    Id(id): Id<SuggestionId>,
) -> Result<Response> {
    page(&draw(&web, frame, id, Form::default()).await?)
}

async fn draw(web: &Web, frame: Frame, id: SuggestionId, form: Form) -> Result<SuggestionPage> {
    let catalog = web.catalog();
    let view = catalog.suggestion(id, frame.member()).await?;
    let tree = catalog.categories().await?;
    let comments = catalog.comments(id, &PageRequest::first(PageRequest::MAX)).await?;
    let log = LogFilter { suggestion: Some(id), ..LogFilter::default() };
    let log = catalog.log(&log, &PageRequest::first(20)).await?;
    let titles = Titles::of(web, &log.items).await?;
    let href = address(&view).to_owned();
    Ok(SuggestionPage {
        title: title(&view).to_owned(),
        host: host(&href),
        href,
        is_addition: view.kind == SuggestionKind::Add,
        is_removal: view.kind == SuggestionKind::Remove,
        is_open: view.status.is_votable(),
        is_own: frame.is(&view.author.id),
        votes: Votes::new(&view, &frame, true),
        fields: diff::of(&view, &tree),
        reason: markdown::html(&view.reason),
        opened: frame.ago(&view.opened_at),
        applied: view.approving_until.as_ref().map(|until| frame.ago(until)),
        decided: view.decided_at.as_ref().map(|at| frame.ago(at)),
        progress: Progress::of(&view),
        conditions: conditions(&view),
        comments: comments
            .items
            .into_iter()
            .map(|comment| Said {
                id: comment.id.to_string(),
                author: comment.author.username,
                at: frame.ago(&comment.created_at),
                body: markdown::html(&comment.body),
            })
            .collect(),
        log: log.items.iter().map(|entry| Line::new(entry, &titles, &frame)).collect(),
        form,
        max_reason: MAX_REASON,
        view,
        frame,
    })
}

/// What the rule asks, each in a sentence, as far as it is worth saying.
fn conditions(view: &SuggestionView) -> Vec<(bool, String)> {
    let is_of_interest = |one: &&Condition| match one.name.as_str() {
        "not_duplicate" => view.kind == SuggestionKind::Add,
        "several_networks" => !one.met,
        _ => true,
    };
    view.rule.conditions.iter().filter(is_of_interest).map(|one| (one.met, said(one))).collect()
}

fn said(condition: &Condition) -> String {
    let (needed, actual) = (condition.needed.unwrap_or_default(), condition.actual.unwrap_or_default());
    let (percent, now) = (needed * 100.0, actual * 100.0);
    match condition.name.as_str() {
        "score" => format!("A score of {needed:.0} (now {actual:.0})"),
        "share" => format!("{percent:.0} % in favour (now {now:.0} %)"),
        "confidence" => format!("{percent:.0} % in favour by a cautious estimate (now {now:.0} %)"),
        "min_open" => format!("Open for {}", span(needed)),
        "no_objection" => "No curator objects".to_owned(),
        "not_duplicate" => "Not on the shelf yet".to_owned(),
        "several_networks" => "Votes from more than one network".to_owned(),
        other => other.to_owned(),
    }
}

fn span(seconds: f64) -> String {
    match seconds / 60.0 {
        minutes if minutes < 1.0 => format!("{seconds:.0} s"),
        minutes if minutes < 90.0 => format!("{minutes:.0} min"),
        minutes => format!("{:.0} h", minutes / 60.0),
    }
}

/// `POST /suggestions/{id}/comments`
pub(crate) async fn comment(
    _: Limited<Comment>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    Id(id): Id<SuggestionId>,
    form: Form,
) -> Result<Response> {
    match web.catalog().add_comment(&member, id, form.value("body")).await {
        Ok(comment) => Ok(see(&format!("/suggestions/{id}#c-{}", comment.id), "commented")),
        Err(error) => {
            let form = form.refused(error.into())?;
            page_as(form.status(), &draw(&web, frame, id, form).await?)
        }
    }
}

/// `POST /suggestions/{id}/{approve|reject|stop|withdraw}`: the catalog knows who may.
pub(crate) async fn decide(
    _: Limited<Write>,
    State(web): State<Web>,
    member: Member,
    frame: Frame,
    Path((id, decision)): Path<(Uuid, String)>,
    form: Form,
) -> Result<Response> {
    let (id, catalog, reason) = (SuggestionId(id), web.catalog(), form.some("reason"));
    let (done, word) = match (decision.as_str(), reason) {
        ("approve", reason) => (catalog.approve(&member, id, reason).await, "approved"),
        ("withdraw", _) => (catalog.withdraw(&member, id).await, "withdrawn"),
        ("reject", Some(reason)) => (catalog.reject(&member, id, reason).await, "rejected"),
        ("stop", Some(reason)) => (catalog.stop(&member, id, reason).await, "stopped"),
        ("reject" | "stop", None) => {
            let form = form.at_fault("reason", "Say why; the author and everybody else can read it.");
            return page_as(form.status(), &draw(&web, frame, id, form).await?);
        }
        _ => return Err(Problem::not_found("page")),
    };
    match done {
        Ok(_) => Ok(see(&format!("/suggestions/{id}"), word)),
        Err(error) => {
            let problem = Problem::from(error);
            match problem.code() {
                "conflict" => Ok(see(&format!("/suggestions/{id}"), "conflict")),
                "not_allowed" | "not_found" => Err(problem),
                _ => {
                    let form = form.refused(problem)?;
                    page_as(form.status(), &draw(&web, frame, id, form).await?)
                }
            }
        }
    }
}
