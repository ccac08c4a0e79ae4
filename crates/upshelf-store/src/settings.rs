use crate::database::on;
use crate::error::During;
use crate::{Result, Time, Tx};

impl Tx {
    /// Finds the value kept under `key`.
    pub async fn find_setting(&mut self, key: &str) -> Result<Option<String>> {
        const SQL: &str = "SELECT value FROM settings WHERE key = $1";
        on!(self, db => sqlx::query_scalar(SQL).bind(key).fetch_optional(db).await).during("find a setting")
    }

    /// Keeps `value` under `key` and gives what is kept: an earlier value stays.
    pub async fn keep_setting(&mut self, key: &str, value: &str) -> Result<String> {
        const SQL: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        on!(self, db => sqlx::query(SQL).bind(key).bind(value).execute(db).await.map(|_| ()))
            .during("keep a setting")?;
        Ok(self.find_setting(key).await?.unwrap_or_else(|| value.to_owned()))
    }

    /// Puts `value` under `key`, over an earlier one.
    pub async fn put_setting(&mut self, key: &str, value: &str) -> Result<()> {
        const SQL: &str = "INSERT INTO settings (key, value) VALUES ($1, $2)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        on!(self, db => sqlx::query(SQL).bind(key).bind(value).execute(db).await.map(|_| ()))
            .during("put a setting")
    }

    /// Takes the lease `key` until `until`, for one holder at a time. False when another has it at `now`.
    pub async fn take_lease(&mut self, key: &str, now: Time, until: Time) -> Result<bool> {
        const SQL: &str = "INSERT INTO settings (key, value) VALUES ($1, CAST($3 AS TEXT))
            ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(settings.value AS BIGINT) <= $2";
        on!(self, db => sqlx::query(SQL).bind(key).bind(now).bind(until).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("take a lease")
    }

    /// Lets go of the lease `key`.
    pub async fn end_lease(&mut self, key: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM settings WHERE key = $1";
        on!(self, db => sqlx::query(SQL).bind(key).execute(db).await.map(|_| ())).during("let go of a lease")
    }

    /// Adds one to the number kept under `key`, which begins at 0, and gives it. Whoever counts under the same key waits
    /// until this transaction ends.
    pub async fn count_setting(&mut self, key: &str) -> Result<i64> {
        const SQL: &str = "INSERT INTO settings (key, value) VALUES ($1, '1')
            ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)
            RETURNING CAST(value AS BIGINT)";
        on!(self, db => sqlx::query_scalar(SQL).bind(key).fetch_one(db).await).during("count a setting")
    }
}
