//! How much the library is used, without saying by whom.

use std::collections::HashMap;

use upshelf_store::{ResourceId, Role, Time};

use crate::views::{AnalyticsView, DayView, UsedResource};
use crate::{Catalog, ResourceRef, Result};

/// The most days that analytics look back.
pub const MAX_DAYS: u32 = 366;

/// How many of the most used resources are named.
const TOP: u32 = 20;

const DAY_IN_MICROS: i64 = 86_400_000_000;

impl Catalog {
    /// Gives how much the library was used in the last `days` days (1 to 366), today included.
    pub async fn analytics(&self, days: u32) -> Result<AnalyticsView> {
        let days = days.clamp(1, MAX_DAYS);
        let today = self.clock().now().day();
        let mut tx = self.store().read().await?;
        let (members, _) = tx.count_members(Role::Admin).await?;
        let resources = tx.count_resources().await?;
        let suggestions = tx.count_suggestions().await?;
        let daily = tx.list_daily_counts(today, days).await?;
        let top = tx.list_top_resources(today, days, TOP).await?;
        let ids: Vec<ResourceId> = top.iter().map(|one| one.resource_id).collect();
        let named: HashMap<ResourceId, ResourceRef> = tx
            .list_resources_of(&ids)
            .await?
            .into_iter()
            .map(|found| (found.id, ResourceRef { id: found.id, title: found.title, url: found.url }))
            .collect();
        Ok(AnalyticsView {
            members,
            resources,
            suggestions: suggestions.into_iter().map(|(status, count)| (status.to_string(), count)).collect(),
            days: daily
                .into_iter()
                .rev()
                .map(|one| DayView {
                    date: date(one.day),
                    views: one.counts.views,
                    saves: one.counts.saves,
                    votes: one.counts.votes,
                })
                .collect(),
            top: top
                .into_iter()
                .filter_map(|one| {
                    Some(UsedResource {
                        resource: named.get(&one.resource_id)?.clone(),
                        views: one.counts.views,
                        saves: one.counts.saves,
                        votes: one.counts.votes,
                    })
                })
                .collect(),
        })
    }
}

/// Writes a day since 1970 as `2026-11-23`.
fn date(day: i64) -> String {
    Time::from_micros(day * DAY_IN_MICROS).timestamp().strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_454), "2026-01-01");
        assert_eq!(date(Time::from_micros(1_772_323_199_999_999).day()), "2026-02-28");
    }
}
