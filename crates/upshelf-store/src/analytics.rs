//! Counts per resource and day; nothing here says who.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{ResourceId, Result, Tx};

/// How often a resource was viewed, saved and voted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Counts {
    /// Visits of its page.
    pub views: i64,
    /// Times it was put into a collection.
    pub saves: i64,
    /// Votes on suggestions about it.
    pub votes: i64,
}

/// The counts of one day, over all resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct DayCounts {
    /// Days since 1970, in UTC.
    pub day: i64,
    /// What was counted.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub counts: Counts,
}

/// The counts of one resource, over some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct ResourceCounts {
    /// The resource.
    pub resource_id: ResourceId,
    /// What was counted.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub counts: Counts,
}

/// How many days make a resource popular.
const POPULAR_DAYS: i64 = 30;

impl Tx {
    /// Adds counts to days (since 1970); those of resources that do not exist are ignored.
    pub async fn add_counts(&mut self, counts: &[(ResourceId, i64, Counts)]) -> Result<()> {
        // One statement may not touch a row twice; and always in one order, so that batches never lock each other out.
        let mut sums: BTreeMap<(ResourceId, i64), Counts> = BTreeMap::new();
        for (resource, day, more) in counts {
            let sum = sums.entry((*resource, *day)).or_default();
            sum.views += more.views;
            sum.saves += more.saves;
            sum.votes += more.votes;
        }
        let sums: Vec<_> = sums.into_iter().collect();
        for chunk in sums.chunks(1_000) {
            on!(self, db => {
                let mut sql = QueryBuilder::new("WITH more (resource_id, day, views, saves, votes) AS (");
                sql.push_values(chunk, |mut row, ((resource, day), more)| {
                    row.push_bind(resource)
                        .push_bind(day)
                        .push_bind(more.views)
                        .push_bind(more.saves)
                        .push_bind(more.votes);
                });
                sql.push(
                    ") INSERT INTO resource_days (resource_id, day, views, saves, votes)
                    SELECT more.resource_id, more.day, more.views, more.saves, more.votes
                    FROM more JOIN resources r ON r.id = more.resource_id WHERE 1 = 1
                    ORDER BY more.resource_id, more.day
                    ON CONFLICT (resource_id, day) DO UPDATE SET views = resource_days.views + excluded.views,
                        saves = resource_days.saves + excluded.saves, votes = resource_days.votes + excluded.votes",
                );
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("add counts")?;
        }
        Ok(())
    }

    /// Gives the counts of each of the last `days` days, `today` last; a day without any has zeros.
    pub async fn list_daily_counts(&mut self, today: i64, days: u32) -> Result<Vec<DayCounts>> {
        const SQL: &str =
            "SELECT day, CAST(SUM(views) AS BIGINT) AS views, CAST(SUM(saves) AS BIGINT) AS saves,
                CAST(SUM(votes) AS BIGINT) AS votes
            FROM resource_days WHERE day > $1 AND day <= $2 GROUP BY day";
        let since = today - i64::from(days);
        let rows: Vec<DayCounts> =
            on!(self, db => sqlx::query_as(SQL).bind(since).bind(today).fetch_all(db).await)
                .during("list daily counts")?;
        let counted: BTreeMap<i64, Counts> = rows.into_iter().map(|row| (row.day, row.counts)).collect();
        Ok((since + 1..=today)
            .map(|day| DayCounts { day, counts: counted.get(&day).copied().unwrap_or_default() })
            .collect())
    }

    /// Lists the live resources with the highest counts of the last `days` days, a save weighing as much as five views
    /// and a vote as much as three.
    pub async fn list_top_resources(
        &mut self,
        today: i64,
        days: u32,
        limit: u32,
    ) -> Result<Vec<ResourceCounts>> {
        const SQL: &str = "SELECT d.resource_id, CAST(SUM(d.views) AS BIGINT) AS views,
                CAST(SUM(d.saves) AS BIGINT) AS saves, CAST(SUM(d.votes) AS BIGINT) AS votes
            FROM resource_days d JOIN resources r ON r.id = d.resource_id AND r.status = 'live'
            WHERE d.day > $1 AND d.day <= $2 GROUP BY d.resource_id
            ORDER BY SUM(d.views + 5 * d.saves + 3 * d.votes) DESC, d.resource_id DESC LIMIT $3";
        on!(self, db => sqlx::query_as(SQL)
            .bind(today - i64::from(days))
            .bind(today)
            .bind(i64::from(limit))
            .fetch_all(db)
            .await)
        .during("list the top resources")
    }

    /// Computes every resource's popularity from the counts of the last 30 days, weighed as in
    /// [`Tx::list_top_resources`]; gives how many changed.
    pub async fn recount_popularity(&mut self, today: i64) -> Result<u64> {
        const SQL: &str = "UPDATE resources SET popularity = counted.points
            FROM (SELECT r.id, CAST(COALESCE(SUM(d.views + 5 * d.saves + 3 * d.votes), 0) AS BIGINT) AS points
                FROM resources r LEFT JOIN resource_days d ON d.resource_id = r.id AND d.day > $1 AND d.day <= $2
                GROUP BY r.id) AS counted
            WHERE counted.id = resources.id AND counted.points <> resources.popularity";
        on!(self, db => sqlx::query(SQL).bind(today - POPULAR_DAYS).bind(today).execute(db).await
            .map(|done| done.rows_affected()))
        .during("recount popularity")
    }
}
