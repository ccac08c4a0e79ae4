//! What the errors of other crates are to who asked: each match names every variant, so that none is forgotten.

use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use upshelf_catalog::{self as catalog, Refusal};
use upshelf_queue as queue;
use upshelf_session as session;
use upshelf_store as store;

use super::{FieldError, Problem};

impl From<catalog::Error> for Problem {
    fn from(error: catalog::Error) -> Problem {
        match error {
            catalog::Error::Refused(refusal) => refusal.into(),
            catalog::Error::Store(error) => error.into(),
            catalog::Error::Busy => {
                Problem::unavailable("busy", "Many people are signing in; try again in a moment.")
            }
            error @ catalog::Error::Load(_) if error.is_database_away() => {
                Problem::database_away().caused_by(error)
            }
            error @ (catalog::Error::Queue(_) | catalog::Error::Load(_)) => Problem::internal(error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match &refusal {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::NotAllowed(_) | Refusal::Banned | Refusal::OwnSuggestion | Refusal::TooYoung(_) => {
                StatusCode::FORBIDDEN
            }
            Refusal::SuggestionClosed(_)
            | Refusal::DuplicateResource(_)
            | Refusal::DuplicateSuggestion(_)
            | Refusal::OutOfDate(_)
            | Refusal::Conflict
            | Refusal::Taken(_)
            | Refusal::LastAdmin => StatusCode::CONFLICT,
            Refusal::SetUp(_) | Refusal::WrongPassword => StatusCode::FORBIDDEN,
            Refusal::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        if let Refusal::Invalid(faults) = refusal {
            let told = faults
                .into_iter()
                .map(|fault| FieldError { field: fault.field.to_owned(), detail: fault.detail });
            return Problem::invalid_fields(told.collect());
        }
        let problem = Problem::new(status, refusal.code(), sentence(&refusal.to_string()));
        match &refusal {
            // Where the thing that is there already can be found.
            Refusal::DuplicateResource(id) => problem.seen_at(format!("/api/v1/resources/{id}")),
            Refusal::DuplicateSuggestion(id) => problem.seen_at(format!("/api/v1/suggestions/{id}")),
            _ => problem,
        }
    }
}

impl Problem {
    fn database_away() -> Problem {
        Problem::unavailable("database_away", "The database does not answer; try again in a moment.")
    }

    fn seen_at(self, place: String) -> Problem {
        match HeaderValue::try_from(place) {
            Ok(place) => self.with_header(LOCATION, place),
            Err(_) => self,
        }
    }
}

/// Some refusals begin with the name of a thing.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        match error {
            store::Error::Cursor => Problem::invalid("cursor", "This cursor was not made here."),
            store::Error::Taken(unique) => Refusal::Taken(unique).into(),
            store::Error::Closing => {
                Problem::unavailable("closing", "The site is closing; try again in a moment.")
            }
            error @ store::Error::Away(..) => Problem::database_away().caused_by(error),
            error @ (store::Error::Database(..)
            | store::Error::Migration(_)
            | store::Error::Address(_)
            | store::Error::Stored(..)
            | store::Error::Inside(_)
            | store::Error::Backup(_)
            | store::Error::File(..)) => Problem::internal(error),
        }
    }
}

impl From<session::Error> for Problem {
    fn from(error: session::Error) -> Problem {
        match error {
            session::Error::Invalid => Problem::unauthorized("token_invalid", "The token is not valid."),
            session::Error::Expired => Problem::unauthorized("token_expired", "The token has expired."),
            session::Error::Revoked => Problem::unauthorized("session_ended", "The session has ended."),
            session::Error::Reused { .. } => Problem::unauthorized(
                "token_reused",
                "This refresh token was replaced before; to be safe, the session has ended.",
            ),
            // The vault is the store's.
            session::Error::Vault(source) => match source.downcast::<store::Error>() {
                Ok(error) => Problem::from(*error),
                Err(source) => Problem::internal(session::Error::Vault(source)),
            },
            error @ session::Error::Keys(_) => Problem::internal(error),
        }
    }
}

impl From<queue::Error> for Problem {
    fn from(error: queue::Error) -> Problem {
        match error {
            queue::Error::Cursor => Problem::invalid("cursor", "This cursor was not made here."),
            queue::Error::Redis { .. } => Problem::unavailable(
                "queue_unknown",
                "The queue cannot be asked at the moment. Its jobs are safe.",
            ),
            error => Problem::internal(error),
        }
    }
}
