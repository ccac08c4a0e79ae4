use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use sqlx::{Connection as _, PgConnection, PgPool, SqlitePool};

use super::{Local, Pools};
use crate::Result;
use crate::error::During;

const DOING: &str = "bring the queue's tables up to date";

impl Local {
    /// Applies River's migrations, which by themselves fail when two processes start at once.
    pub(crate) async fn migrate(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { write, .. } => migrate_sqlite(write).await,
            Pools::Postgres(pool) => migrate_postgres(pool).await,
        }
    }
}

/// Each migration is one transaction of the only writer at a time: one that fails after another process has applied
/// it has lost a race, and there is less left to do.
async fn migrate_sqlite(pool: &SqlitePool) -> Result<()> {
    let migrator = SqliteMigrator::new(pool.clone());
    loop {
        let before = migrator.existing_versions().await.during(DOING)?.len();
        let Err(error) = migrator.migrate_up().await else { return Ok(()) };
        if migrator.existing_versions().await.during(DOING)?.len() == before {
            return Err(error).during(DOING);
        }
    }
}

/// One process at a time holds the lock; on a connection of its own, so that a pool of one connection will do.
async fn migrate_postgres(pool: &PgPool) -> Result<()> {
    let mut lock = PgConnection::connect_with(&pool.connect_options()).await.during(DOING)?;
    let sql = "SELECT pg_advisory_lock(hashtext('river_migration'))";
    sqlx::raw_sql(sql).execute(&mut lock).await.during(DOING)?;
    let migrated = PostgresMigrator::new(pool.clone()).migrate_up().await.during(DOING);
    lock.close().await.during(DOING)?;
    migrated.map(|_| ())
}
