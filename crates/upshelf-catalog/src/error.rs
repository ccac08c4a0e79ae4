use upshelf_cache::LoadError;
use upshelf_store::{ResourceId, SuggestionId, SuggestionStatus, Time, Unique};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules say no; nothing failed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] upshelf_store::Error),
    /// A job could not be committed with its cause.
    #[error("the queue failed")]
    Queue(#[from] upshelf_queue::Error),
    /// What is cached could not be loaded; all who waited for it hear the same.
    #[error("could not load what is cached")]
    Load(#[source] LoadError<Error>),
    /// Too many passwords are being hashed at once.
    #[error("too busy to check a password")]
    Busy,
}

impl Error {
    /// Whether it failed because the database cannot be reached at the moment.
    pub fn is_database_away(&self) -> bool {
        match self {
            Error::Store(upshelf_store::Error::Away(..)) => true,
            Error::Load(LoadError::Failed(error)) => error.is_database_away(),
            _ => false,
        }
    }
}

/// A refusal by the rules. `Display` is a sentence for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or it is not theirs.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// Their role does not reach that far.
    #[error("This takes a {0}.")]
    NotAllowed(&'static str),
    /// They are shut out.
    #[error("This account is shut out.")]
    Banned,
    /// The suggestion was decided before.
    #[error("This suggestion is {0} already; votes no longer count.")]
    SuggestionClosed(SuggestionStatus),
    /// Nobody votes on their own suggestion.
    #[error("Your own suggestion counts on others' votes.")]
    OwnSuggestion,
    /// The member joined too recently to vote.
    #[error("New members' votes count from {0}.")]
    TooYoung(Time),
    /// The URL is on the shelf.
    #[error("This resource is on the shelf already.")]
    DuplicateResource(ResourceId),
    /// Somebody suggested the URL.
    #[error("This resource is suggested already; vote for it there.")]
    DuplicateSuggestion(SuggestionId),
    /// The resource changed since.
    #[error("The resource changed meanwhile; it is at version {0}.")]
    OutOfDate(i64),
    /// The suggestion cannot be applied to what the resource is now.
    #[error("The resource changed in the same fields.")]
    Conflict,
    /// A name that must be unique.
    #[error("{0} is taken.")]
    Taken(Unique),
    /// The set-up is over, or its code is wrong.
    #[error("{0}")]
    SetUp(&'static str),
    /// The current password is not right.
    #[error("The current password is not right.")]
    WrongPassword,
    /// An admin cannot take the last admin's role away.
    #[error("The site needs an admin.")]
    LastAdmin,
    /// Values that cannot be taken, each with its field.
    #[error("{}", invalid(.0))]
    Invalid(Vec<Fault>),
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field's name, as in the request.
    pub field: &'static str,
    /// What is allowed, as a sentence.
    pub detail: String,
}

impl Refusal {
    /// Refuses one field's value.
    pub fn invalid(field: &'static str, detail: impl Into<String>) -> Refusal {
        Refusal::Invalid(vec![Fault { field, detail: detail.into() }])
    }

    /// The word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NotFound(_) => "not_found",
            Refusal::NotAllowed(_) => "not_allowed",
            Refusal::Banned => "banned",
            Refusal::SuggestionClosed(_) => "suggestion_closed",
            Refusal::OwnSuggestion => "own_suggestion",
            Refusal::TooYoung(_) => "too_young_to_vote",
            Refusal::DuplicateResource(_) => "duplicate_resource",
            Refusal::DuplicateSuggestion(_) => "duplicate_suggestion",
            Refusal::OutOfDate(_) => "out_of_date",
            Refusal::Conflict => "conflict",
            Refusal::Taken(Unique::Username) => "username_taken",
            Refusal::Taken(Unique::Email) => "email_taken",
            Refusal::Taken(Unique::Url) => "duplicate_resource",
            Refusal::Taken(Unique::List) => "list_taken",
            Refusal::SetUp(_) => "set_up",
            Refusal::WrongPassword => "wrong_password",
            Refusal::LastAdmin => "last_admin",
            Refusal::Invalid(_) => "invalid",
        }
    }
}

fn invalid(faults: &[Fault]) -> String {
    let fields: Vec<_> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.detail)).collect();
    fields.join(" ")
}

/// A result of the catalog.
pub type Result<T, E = Error> = std::result::Result<T, E>;
