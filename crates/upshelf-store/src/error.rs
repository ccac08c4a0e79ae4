use std::fmt;

/// What can go wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or answered with a failure that no caller can mend.
    #[error("could not {0}")]
    Database(&'static str, #[source] sqlx::Error),
    /// The database cannot be reached, or takes nobody in at the moment.
    #[error("could not {0}: the database is away")]
    Away(&'static str, #[source] sqlx::Error),
    /// A value that must be unique is taken; names the constraint's column.
    #[error("{0} is taken")]
    Taken(Unique),
    /// The database's migrations do not match this program.
    #[error("could not bring the database up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address of the database cannot be used; says why.
    #[error("cannot use the database address: {0}")]
    Address(String),
    /// A page's cursor was not made by us.
    #[error("the cursor is not valid")]
    Cursor,
    /// A stored document cannot be read back.
    #[error("stored {0} cannot be read")]
    Stored(&'static str, #[source] serde_json::Error),
    /// What ran inside a shared transaction failed.
    #[error("could not finish the transaction")]
    Inside(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A backup cannot be made or put back; says why.
    #[error("{0}")]
    Backup(String),
    /// A file cannot be read or written.
    #[error("could not {0}")]
    File(&'static str, #[source] std::io::Error),
    /// The program is closing and takes no more work.
    #[error("the store is closing")]
    Closing,
}

/// The unique values that a caller can choose again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unique {
    /// A member's name.
    Username,
    /// A member's mail address.
    Email,
    /// A resource's normalised URL.
    Url,
    /// A list's slug.
    List,
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unique::Username => "the username",
            Unique::Email => "the e-mail address",
            Unique::Url => "the URL",
            Unique::List => "the list's slug",
        })
    }
}

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Names the operation that a database error broke.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T>;
}

impl<T> During<T> for std::result::Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T> {
        self.map_err(|error| match unique(&error) {
            Some(taken) => Error::Taken(taken),
            None if is_away(&error) => Error::Away(operation, error),
            None => Error::Database(operation, error),
        })
    }
}

/// Whether trying again in a moment may help.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // PostgreSQL: connection failures, too many connections, shutting down, starting up.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code == "53300" || code.starts_with("57P0")),
        _ => false,
    }
}

/// SQLite names the column (`members.username_key`), PostgreSQL the constraint (`members_username_key_key`).
fn unique(error: &sqlx::Error) -> Option<Unique> {
    let error = error.as_database_error().filter(|error| error.is_unique_violation())?;
    let named = error.constraint().unwrap_or_else(|| error.message());
    [
        ("username_key", Unique::Username),
        ("email_key", Unique::Email),
        ("url_key", Unique::Url),
        ("lists.slug", Unique::List),
        ("lists_slug", Unique::List),
    ]
    .into_iter()
    .find_map(|(part, unique)| named.contains(part).then_some(unique))
}
