//! A suggestion in a list, and the buttons to vote on it.

use askama::Template;
use askama::filters::HtmlSafe;
use upshelf_catalog::SuggestionView;
use upshelf_store::{SuggestionKind, SuggestionStatus};

use crate::pages::ago::Ago;
use crate::pages::frame::Frame;
use crate::pages::row::{host, outward};

/// One suggestion of a list.
#[derive(Template)]
#[template(path = "parts/card.html")]
pub(crate) struct Card {
    votes: Votes,
    id: String,
    kind: SuggestionKind,
    status: SuggestionStatus,
    title: String,
    host: String,
    author: String,
    opened: Ago,
    applied: Option<Ago>,
    is_open: bool,
    summary: String,
    progress: Progress,
    reason: String,
}

impl HtmlSafe for Card {}

/// How far a suggestion's score is from what its rule asks.
pub(crate) struct Progress {
    pub(crate) held: i64,
    pub(crate) needed: i64,
}

impl Progress {
    /// Reads it off what the rule says.
    pub(crate) fn of(view: &SuggestionView) -> Progress {
        let needed = view.rule.conditions.iter().find(|one| one.name == "score").and_then(|one| one.needed);
        // Scores are small whole numbers.
        let needed = (needed.unwrap_or(1.0) as i64).max(1);
        Progress { held: view.standing.score.clamp(0, needed), needed }
    }
}

impl Card {
    /// Draws a suggestion as the viewer of `frame` sees it.
    pub(crate) fn new(view: &SuggestionView, frame: &Frame) -> Card {
        Card {
            votes: Votes::new(view, frame, false),
            id: view.id.to_string(),
            kind: view.kind,
            status: view.status,
            title: title(view).to_owned(),
            host: view
                .changes
                .url
                .as_deref()
                .or(view.resource.as_ref().map(|one| one.url.as_str()))
                .map(host)
                .unwrap_or_default(),
            author: view.author.username.clone(),
            opened: frame.ago(&view.opened_at),
            applied: view.approving_until.as_ref().map(|until| frame.ago(until)),
            is_open: view.status.is_votable(),
            summary: view.rule.summary.clone(),
            progress: Progress::of(view),
            reason: shortened(&view.reason, 160),
        }
    }
}

/// Draws a list of suggestions.
pub(crate) fn cards(views: &[SuggestionView], frame: &Frame) -> Vec<Card> {
    views.iter().map(|view| Card::new(view, frame)).collect()
}

/// What a suggestion is about, in few words.
pub(crate) fn title(view: &SuggestionView) -> &str {
    let current = view.resource.as_ref().map(|resource| resource.title.as_str());
    let proposed = view.changes.title.as_deref();
    match view.kind {
        SuggestionKind::Add => proposed.or(current),
        SuggestionKind::Edit | SuggestionKind::Move | SuggestionKind::Remove => {
            view.before.title.as_deref().or(current).or(proposed)
        }
    }
    .unwrap_or("A resource")
}

/// The address of what a suggestion is about, if a link may lead there.
pub(crate) fn address(view: &SuggestionView) -> &str {
    let proposed = view.changes.url.as_deref();
    outward(proposed.or(view.resource.as_ref().map(|resource| resource.url.as_str())).unwrap_or_default())
}

/// Gives the first words of a text.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most).collect();
    let whole = cut.rsplit_once(char::is_whitespace).map_or(cut.as_str(), |(whole, _)| whole);
    format!("{whole} …")
}

/// The score of a suggestion between the two buttons to vote.
#[derive(Template)]
#[template(path = "parts/votes.html")]
pub(crate) struct Votes {
    id: String,
    title: String,
    up: i64,
    down: i64,
    score: i64,
    version: i64,
    mine: i64,
    is_own: bool,
    is_open: bool,
    is_wide: bool,
    back: String,
}

impl HtmlSafe for Votes {}

impl Votes {
    /// Draws the buttons; after a vote, the browser comes back to `frame`'s page.
    pub(crate) fn new(view: &SuggestionView, frame: &Frame, is_wide: bool) -> Votes {
        Votes {
            id: view.id.to_string(),
            title: title(view).to_owned(),
            up: view.standing.up,
            down: view.standing.down,
            score: view.standing.score,
            version: view.standing.version,
            mine: view.my_vote.unwrap_or(0),
            is_own: frame.is(&view.author.id),
            is_open: view.status.is_votable(),
            is_wide,
            back: format!("{}#s-{}", frame.here, view.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_words() {
        assert_eq!(shortened("one two three", 20), "one two three");
        assert_eq!(shortened("one two three", 9), "one two …");
        assert_eq!(shortened("ééééééé", 3), "ééé …");
    }
}
