//! Whether a queue is to be paused. The database remembers the wish until Redis has been told, so that one uttered while
//! somebody was cut off from Redis is not taken for an old one.

use crate::Result;
use crate::error::During;
use crate::local::Pools;

/// What somebody wished last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) is_paused: bool,
    /// Redis may not know of it.
    pub(crate) is_untold: bool,
    number: i64,
}

impl Wish {
    /// Says whether nothing was wished after `earlier`.
    pub(crate) fn is_still(self, earlier: Self) -> bool {
        self.number == earlier.number
    }
}

/// Notes a wish.
pub(crate) async fn wish(pools: &Pools, queue: &str, pause: bool) -> Result<Wish> {
    const SQLITE: &str = "
        INSERT INTO river_queue (name, updated_at, paused_at, metadata)
        VALUES ($1, CURRENT_TIMESTAMP, CASE WHEN $2 THEN CURRENT_TIMESTAMP END, jsonb('{\"wish\": 1}'))
        ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, paused_at = excluded.paused_at,
            metadata = jsonb_set(river_queue.metadata, '$.wish', coalesce(river_queue.metadata ->> '$.wish', 0) + 1)
        RETURNING metadata ->> '$.wish'";
    const POSTGRES: &str = r#"
        INSERT INTO river_queue (name, updated_at, paused_at, metadata)
        VALUES ($1, CURRENT_TIMESTAMP, CASE WHEN $2 THEN CURRENT_TIMESTAMP END, '{"wish": 1}')
        ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at, paused_at = excluded.paused_at,
            metadata = jsonb_set(river_queue.metadata, '{wish}',
                to_jsonb(coalesce((river_queue.metadata ->> 'wish')::bigint, 0) + 1))
        RETURNING (metadata ->> 'wish')::bigint"#;
    let number = match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query_scalar(SQLITE).bind(queue).bind(pause).fetch_one(write).await
        }
        Pools::Postgres(pool) => sqlx::query_scalar(POSTGRES).bind(queue).bind(pause).fetch_one(pool).await,
    }
    .during("pause or resume a queue")?;
    Ok(Wish { is_paused: pause, is_untold: true, number })
}

/// Notes that Redis knows of this wish; a later one stays untold.
pub(crate) async fn told(pools: &Pools, queue: &str, wish: Wish) -> Result<()> {
    const SQLITE: &str = "UPDATE river_queue SET metadata = jsonb_set(metadata, '$.told', $2)
        WHERE name = $1 AND metadata ->> '$.wish' = $2";
    const POSTGRES: &str = "UPDATE river_queue SET metadata = jsonb_set(metadata, '{told}', to_jsonb($2))
        WHERE name = $1 AND (metadata ->> 'wish')::bigint = $2";
    const DOING: &str = "note that Redis knows of a pause";
    match pools {
        Pools::Sqlite { write, .. } => {
            sqlx::query(SQLITE).bind(queue).bind(wish.number).execute(write).await.during(DOING)?;
        }
        Pools::Postgres(pool) => {
            sqlx::query(POSTGRES).bind(queue).bind(wish.number).execute(pool).await.during(DOING)?;
        }
    }
    Ok(())
}

/// Reads the last wish.
pub(crate) async fn last_wish(pools: &Pools, queue: &str) -> Result<Wish> {
    const SQLITE: &str = "SELECT paused_at IS NOT NULL, coalesce(metadata ->> '$.wish', 0),
        coalesce(metadata ->> '$.told', 0) FROM river_queue WHERE name = $1";
    const POSTGRES: &str = "SELECT paused_at IS NOT NULL, coalesce((metadata ->> 'wish')::bigint, 0),
        coalesce((metadata ->> 'told')::bigint, 0) FROM river_queue WHERE name = $1";
    let found: Option<(bool, i64, i64)> = match pools {
        Pools::Sqlite { read, .. } => sqlx::query_as(SQLITE).bind(queue).fetch_optional(read).await,
        Pools::Postgres(pool) => sqlx::query_as(POSTGRES).bind(queue).fetch_optional(pool).await,
    }
    .during("see whether a queue is paused")?;
    let (is_paused, number, told) = found.unwrap_or_default();
    Ok(Wish { is_paused, is_untold: number != told, number })
}
