//! What notices say, as sentences.

use upshelf_store::SuggestionKind;

use crate::NoticeKind;
use crate::views::{Interest, SuggestionRef, VotesTold};

/// Everything that a sentence is made of.
pub(crate) struct Told<'a> {
    pub(crate) kind: NoticeKind,
    pub(crate) interest: Interest,
    pub(crate) actor: Option<&'a str>,
    pub(crate) suggestion: Option<&'a SuggestionRef>,
    pub(crate) resource: Option<&'a str>,
    pub(crate) votes: Option<VotesTold>,
}

/// Says what happened to the member it happened to.
pub(crate) fn sentence(told: &Told<'_>) -> String {
    let actor = told.actor.unwrap_or("Somebody");
    let what = what(told);
    let whose = match told.interest {
        Interest::Author => format!("Your suggestion {what}"),
        Interest::Voter => format!("The suggestion {what}, on which you voted,"),
        Interest::Account | Interest::Commenter | Interest::Watcher => format!("The suggestion {what}"),
    };
    match told.kind {
        NoticeKind::Suggested => format!("{actor} suggests {what}."),
        NoticeKind::Approved => format!("{whose} was approved."),
        NoticeKind::Rejected => format!("{whose} was declined."),
        NoticeKind::Stopped => format!("{whose} waits for a curator: {actor} objects."),
        NoticeKind::Withdrawn => format!("{whose} was withdrawn."),
        NoticeKind::Conflicted => format!("{whose} could not be applied."),
        NoticeKind::Reverted => {
            format!("{actor} put “{}” back to an earlier version.", told.resource.unwrap_or("a resource"))
        }
        NoticeKind::Voted => {
            let VotesTold { up, down } = told.votes.unwrap_or(VotesTold { up: 0, down: 0 });
            let people = if up + down == 1 { "person" } else { "people" };
            let whose = if told.interest == Interest::Author { "your" } else { "the" };
            format!("{} {people} voted on {whose} suggestion {what}: {up} for it, {down} against.", up + down)
        }
        NoticeKind::Commented => match told.interest {
            Interest::Author => format!("{actor} commented on your suggestion {what}."),
            _ => format!("{actor} commented on the suggestion {what}."),
        },
        NoticeKind::RoleChanged => "Your role changed.".to_owned(),
        NoticeKind::Security => "Something happened that concerns your account.".to_owned(),
    }
}

fn what(told: &Told<'_>) -> String {
    let Some(suggestion) = told.suggestion else { return "about a resource".to_owned() };
    let verb = match suggestion.kind {
        SuggestionKind::Add => "to add",
        SuggestionKind::Edit => "to edit",
        SuggestionKind::Move => "to move",
        SuggestionKind::Remove => "to remove",
    };
    format!("{verb} “{}”", suggestion.title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interest_is_told_in_its_own_words() {
        let suggestion = SuggestionRef {
            id: uuid::Uuid::nil().into(),
            kind: SuggestionKind::Add,
            title: "Loom".to_owned(),
        };
        let say = |kind, interest| {
            let (actor, resource) = (Some("grace"), Some("Loom"));
            let votes = Some(VotesTold { up: 10, down: 2 });
            sentence(&Told { kind, interest, actor, suggestion: Some(&suggestion), resource, votes })
        };
        assert_eq!(
            say(NoticeKind::Approved, Interest::Author),
            "Your suggestion to add “Loom” was approved."
        );
        assert_eq!(
            say(NoticeKind::Approved, Interest::Voter),
            "The suggestion to add “Loom”, on which you voted, was approved."
        );
        assert_eq!(say(NoticeKind::Suggested, Interest::Watcher), "grace suggests to add “Loom”.");
        assert_eq!(
            say(NoticeKind::Commented, Interest::Author),
            "grace commented on your suggestion to add “Loom”."
        );
        assert_eq!(
            say(NoticeKind::Voted, Interest::Author),
            "12 people voted on your suggestion to add “Loom”: 10 for it, 2 against."
        );
        assert_eq!(
            say(NoticeKind::Reverted, Interest::Watcher),
            "grace put “Loom” back to an earlier version."
        );
    }
}
