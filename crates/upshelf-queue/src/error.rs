use crate::JobId;

/// What can go wrong in the queue itself; what goes wrong in a job is an [`Outcome`](crate::Outcome) or an error of
/// its handler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database did not answer as expected; trying again later may help.
    #[error("could not {doing}")]
    Database {
        /// The operation, as in "could not …".
        doing: &'static str,
        /// What the database or River said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Redis did not answer as expected, or is not there. Nothing is lost by that; trying again later may help.
    #[error("could not {doing}")]
    Redis {
        /// The operation, as in "could not …".
        doing: &'static str,
        /// What Redis or BullMQ said; nothing when there is no connection.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A job cannot be written as JSON that both engines store; inserting it again will not help.
    #[error("job {job} cannot be stored: {reason}")]
    Payload {
        /// The job's name.
        job: &'static str,
        /// Why not.
        reason: String,
    },
    /// The job is running, and what runs can be neither removed nor promoted.
    #[error("job {0} is running")]
    Active(JobId),
    /// A setting is out of range.
    #[error("{0}")]
    Settings(String),
    /// A cursor that no page ever handed out.
    #[error("unknown cursor")]
    Cursor,
}

impl Error {
    /// Says whether the database is there, and refused what it was asked.
    pub(crate) fn is_refusal(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        matches!(source.downcast_ref(), Some(sqlx::Error::Database(_)))
    }
}

/// The result of the queue's own operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the operation that failed.
pub(crate) trait During<T> {
    fn during(self, doing: &'static str) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> During<T> for std::result::Result<T, E> {
    fn during(self, doing: &'static str) -> Result<T> {
        self.map_err(|source| Error::Database { doing, source: source.into() })
    }
}
