use serde::Serialize;
use serde_json::Value;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{
    Json, LogId, MemberId, Page, PageRequest, ResourceId, ResourceState, Result, Standing, SuggestionId,
    Time, Tx,
};

words! {
    /// Who made a change of state.
    Actor {
        /// A member.
        Member = "member",
        /// A rule of approval.
        Rule = "rule",
        /// The site itself.
        System = "system",
    }
}

words! {
    /// What changed.
    Action {
        /// A list was imported.
        Imported = "imported",
        /// A suggestion was proposed.
        Suggested = "suggested",
        /// A rule was met; the delay runs.
        Approving = "approving",
        /// The delay ended and the rule no longer held.
        Reopened = "reopened",
        /// A suggestion was applied.
        Approved = "approved",
        /// A curator declined a suggestion.
        Rejected = "rejected",
        /// A curator stopped approval by rule.
        Stopped = "stopped",
        /// The author took a suggestion back.
        Withdrawn = "withdrawn",
        /// The resource had changed in the same fields.
        Conflicted = "conflicted",
        /// A curator put a resource back to an earlier version.
        Reverted = "reverted",
        /// A member's role changed.
        RoleChanged = "role_changed",
        /// A member was shut out, and their votes voided.
        Banned = "banned",
        /// A member was let in again.
        Unbanned = "unbanned",
    }
}

/// One change of state, as everybody may read it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct LogEntry {
    /// Names the entry; entries sort by it.
    pub id: LogId,
    /// When.
    pub at: Time,
    /// Who, in kind.
    pub actor: Actor,
    /// Which member, when the actor is one.
    pub member_id: Option<MemberId>,
    /// The member's name.
    pub username: Option<String>,
    /// What changed.
    pub action: Action,
    /// Which suggestion.
    pub suggestion_id: Option<SuggestionId>,
    /// Which resource.
    pub resource_id: Option<ResourceId>,
    /// The rule that was met, with what it asked.
    #[schema(value_type = Option<Object>)]
    pub rule: Option<Document>,
    /// The standing at that moment.
    #[schema(value_type = Option<Object>)]
    pub standing: Option<Document>,
    /// What it was before.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Document>,
    /// What it is after.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Document>,
    /// Why, in somebody's words.
    pub reason: Option<String>,
}

/// Any JSON kept in a column.
pub type Document = Json<Value>;

/// What a new entry is made of.
#[derive(Clone, Debug)]
pub struct NewLogEntry {
    /// Names the entry.
    pub id: LogId,
    /// When.
    pub at: Time,
    /// Who, in kind.
    pub actor: Actor,
    /// Which member.
    pub member_id: Option<MemberId>,
    /// What changed.
    pub action: Action,
    /// Which suggestion.
    pub suggestion_id: Option<SuggestionId>,
    /// Which resource.
    pub resource_id: Option<ResourceId>,
    /// The rule that was met.
    pub rule: Option<Value>,
    /// The standing at that moment.
    pub standing: Option<Standing>,
    /// What it was before.
    pub before: Option<Value>,
    /// What it is after.
    pub after: Option<Value>,
    /// Why.
    pub reason: Option<String>,
}

/// Which entries a page of the log shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFilter {
    /// Only those about this suggestion.
    pub suggestion: Option<SuggestionId>,
    /// Only those about this resource.
    pub resource: Option<ResourceId>,
}

/// One version of a resource.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ResourceVersion {
    /// Counts from 1.
    pub version: i64,
    /// When it came to be.
    pub at: Time,
    /// The log's entry of the change.
    pub log_id: Option<LogId>,
    /// What the resource was then.
    pub state: Json<ResourceState>,
    /// What takes the change back in the documents of lists.
    pub undo: Option<Json<Value>>,
}

impl Tx {
    /// Adds an entry to the public log.
    pub async fn add_log(&mut self, new: &NewLogEntry) -> Result<()> {
        const SQL: &str =
            "INSERT INTO log (id, at, actor, member_id, action, suggestion_id, resource_id, rule, standing,
                before, after, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.at)
            .bind(new.actor)
            .bind(new.member_id)
            .bind(new.action)
            .bind(new.suggestion_id)
            .bind(new.resource_id)
            .bind(new.rule.as_ref().map(Json))
            .bind(new.standing.map(Json))
            .bind(new.before.as_ref().map(Json))
            .bind(new.after.as_ref().map(Json))
            .bind(&new.reason)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add to the log")
    }

    /// Lists the log, newest first.
    pub async fn list_log(&mut self, filter: &LogFilter, page: &PageRequest) -> Result<Page<LogEntry>> {
        let after: Option<LogId> = page.after()?;
        let rows = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT l.id, l.at, l.actor, l.member_id, m.username, l.action, l.suggestion_id, l.resource_id, l.rule,
                    l.standing, l.before, l.after, l.reason
                    FROM log l LEFT JOIN members m ON m.id = l.member_id WHERE 1 = 1",
            );
            if let Some(suggestion) = filter.suggestion {
                sql.push(" AND l.suggestion_id = ").push_bind(suggestion);
            }
            if let Some(resource) = filter.resource {
                sql.push(" AND l.resource_id = ").push_bind(resource);
            }
            if let Some(after) = after {
                sql.push(" AND l.id < ").push_bind(after);
            }
            sql.push(" ORDER BY l.id DESC LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list the log")?;
        Ok(page.page(rows, |entry: &LogEntry| entry.id))
    }

    /// Lists entries of the log by id, in no order.
    pub async fn list_log_of(&mut self, ids: &[LogId]) -> Result<Vec<LogEntry>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT l.id, l.at, l.actor, l.member_id, m.username, l.action, l.suggestion_id, l.resource_id, l.rule,
                    l.standing, l.before, l.after, l.reason
                    FROM log l LEFT JOIN members m ON m.id = l.member_id WHERE l.id IN (",
            );
            let mut list = sql.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list entries of the log by id")
    }

    /// Remembers versions of resources.
    pub async fn add_versions(&mut self, versions: &[(ResourceId, ResourceVersion)]) -> Result<()> {
        for chunk in versions.chunks(500) {
            on!(self, db => {
                let mut sql = QueryBuilder::new(
                    "INSERT INTO resource_versions (resource_id, version, at, log_id, state, undo) ",
                );
                sql.push_values(chunk, |mut row, (resource, version)| {
                    row.push_bind(resource)
                        .push_bind(version.version)
                        .push_bind(version.at)
                        .push_bind(version.log_id)
                        .push_bind(&version.state)
                        .push_bind(&version.undo);
                });
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("remember versions")?;
        }
        Ok(())
    }

    /// Lists a resource's versions, newest first.
    pub async fn list_versions(
        &mut self,
        resource: ResourceId,
        page: &PageRequest,
    ) -> Result<Page<ResourceVersion>> {
        let after: i64 = page.after()?.unwrap_or(i64::MAX);
        const SQL: &str = "SELECT version, at, log_id, state, undo FROM resource_versions
            WHERE resource_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3";
        let rows = on!(self, db => sqlx::query_as(SQL)
            .bind(resource)
            .bind(after)
            .bind(page.fetch())
            .fetch_all(db)
            .await)
        .during("list versions")?;
        Ok(page.page(rows, |row: &ResourceVersion| row.version))
    }

    /// Finds one version of a resource.
    pub async fn find_version(
        &mut self,
        resource: ResourceId,
        version: i64,
    ) -> Result<Option<ResourceVersion>> {
        const SQL: &str = "SELECT version, at, log_id, state, undo FROM resource_versions
            WHERE resource_id = $1 AND version = $2";
        on!(self, db => sqlx::query_as(SQL).bind(resource).bind(version).fetch_optional(db).await)
            .during("find a version")
    }
}
