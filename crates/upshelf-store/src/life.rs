//! The name of this life of the library: another one begins when a backup is put back, so that nobody takes the numbers of
//! one for those of the other.

use crate::error::During;
use crate::{Result, Tx};

/// The setting that holds the name.
pub(crate) const LIFE: &str = "life";

impl Tx {
    /// Gives the name of this life, if it has one yet.
    ///
    /// PostgreSQL is restored behind our back. Its tables are made anew then, and have other numbers.
    pub async fn find_life(&mut self) -> Result<Option<String>> {
        let Some(name) = self.find_setting(LIFE).await? else { return Ok(None) };
        const POSTGRES: &str = "SELECT CAST(CAST(CAST('members' AS regclass) AS oid) AS BIGINT)";
        let table: Option<i64> = match self {
            Tx::Sqlite(_) => None,
            Tx::Postgres(tx) => Some(
                sqlx::query_scalar(POSTGRES).fetch_one(&mut **tx).await.during("find a table's number")?,
            ),
        };
        Ok(Some(table.map_or(name.clone(), |table| format!("{name}.{table}"))))
    }

    /// Names this life, unless it has a name.
    pub async fn begin_life(&mut self, name: &str) -> Result<()> {
        self.keep_setting(LIFE, name).await.map(|_| ())
    }
}
