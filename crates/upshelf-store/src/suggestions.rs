use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::ranking::hot;
use crate::types::words;
use crate::{CategoryId, Json, MemberId, Page, PageRequest, ResourceId, Result, SuggestionId, Time, Tx};

words! {
    /// What a suggestion asks for.
    SuggestionKind {
        /// A new resource.
        Add = "add",
        /// Other words, another address or other tags for a resource.
        Edit = "edit",
        /// Other categories for a resource.
        Move = "move",
        /// That a resource leaves the shelf.
        Remove = "remove",
    }
}

words! {
    /// Where a suggestion stands.
    SuggestionStatus {
        /// It can be voted on.
        Open = "open",
        /// A rule is met; it is applied when the delay is over. It can be voted on.
        Approving = "approving",
        /// It was applied.
        Approved = "approved",
        /// A curator declined it.
        Rejected = "rejected",
        /// Its author took it back.
        Withdrawn = "withdrawn",
        /// The resource changed meanwhile in the same fields.
        Conflict = "conflict",
    }
}

impl SuggestionStatus {
    /// Whether votes still count.
    pub const fn is_votable(self) -> bool {
        matches!(self, SuggestionStatus::Open | SuggestionStatus::Approving)
    }
}

words! {
    /// The orders in which suggestions are listed.
    SuggestionSort {
        /// A high score and youth.
        Hot = "hot",
        /// The highest score.
        Top = "top",
        /// The youngest.
        New = "new",
        /// Many votes on both sides.
        Controversial = "controversial",
    }
}

/// The fields that a suggestion changes; an absent one stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The resource's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is, in inline Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_ids: Option<Vec<CategoryId>>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// The votes of a suggestion, counted.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema,
)]
pub struct Standing {
    /// Votes in favour.
    pub up: i64,
    /// Votes against.
    pub down: i64,
    /// `up` − `down`.
    pub score: i64,
    /// Grows by one with every change of the standing.
    pub version: i64,
}

/// A proposed change.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Suggestion {
    /// Names the suggestion.
    pub id: SuggestionId,
    /// What it asks for.
    pub kind: SuggestionKind,
    /// Where it stands.
    pub status: SuggestionStatus,
    /// Who proposed it.
    pub author_id: MemberId,
    /// The resource it is about; for an addition, the one it became.
    pub resource_id: Option<ResourceId>,
    /// The version of the resource it is built on.
    pub base_version: Option<i64>,
    /// The proposed URL normalised, to find duplicates.
    pub url_key: Option<String>,
    /// What it changes.
    pub changes: Json<Changes>,
    /// What those fields held when it was proposed.
    pub before: Json<Changes>,
    /// Why, in the author's words.
    pub reason: String,
    /// What was seen of a dead link, if anything.
    pub evidence: Option<String>,
    /// The votes, counted.
    #[sqlx(flatten)]
    pub standing: Standing,
    /// Why a curator objects to approval by rule.
    pub objection: Option<String>,
    /// The curator who objects.
    pub objection_by: Option<MemberId>,
    /// When it was proposed.
    pub opened_at: Time,
    /// When it will be applied, while `approving`.
    pub approving_until: Option<Time>,
    /// When it was decided.
    pub decided_at: Option<Time>,
    /// Who decided it; absent when a rule did.
    pub decided_by: Option<MemberId>,
    /// Why, in the curator's words, or what stood in the way.
    pub decision_reason: Option<String>,
}

/// A change of a suggestion's state.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Where it stands now.
    pub status: SuggestionStatus,
    /// The resource it is about.
    pub resource_id: Option<ResourceId>,
    /// When it will be applied, while `approving`.
    pub approving_until: Option<Time>,
    /// When it was decided.
    pub decided_at: Option<Time>,
    /// Who decided it.
    pub decided_by: Option<MemberId>,
    /// Why.
    pub reason: Option<String>,
}

/// Which suggestions a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuggestionFilter {
    /// Only those that stand here; without it, the votable ones.
    pub status: Option<SuggestionStatus>,
    /// Only those that ask for this.
    pub kind: Option<SuggestionKind>,
    /// Only those of this member, whatever their status.
    pub author: Option<MemberId>,
    /// Only those about this resource.
    pub resource: Option<ResourceId>,
}

const COLUMNS: &str = "id, kind, status, author_id, resource_id, base_version, url_key, changes, before, reason,
    evidence, up, down, score, version, objection, objection_by, opened_at, approving_until, decided_at, decided_by,
    decision_reason";

impl Tx {
    /// Adds an open suggestion; its standing, decision and objection are taken as empty.
    pub async fn add_suggestion(&mut self, new: &Suggestion) -> Result<()> {
        const SQL: &str =
            "INSERT INTO suggestions (id, kind, status, author_id, resource_id, base_version, url_key,
                changes, before, reason, evidence, up, down, score, version, hot, controversy, opened_at)
            VALUES ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, 0, $11, 0.0, $12)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.kind)
            .bind(new.author_id)
            .bind(new.resource_id)
            .bind(new.base_version)
            .bind(&new.url_key)
            .bind(&new.changes)
            .bind(&new.before)
            .bind(&new.reason)
            .bind(&new.evidence)
            .bind(hot(0, new.opened_at))
            .bind(new.opened_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add a suggestion")
    }

    /// Finds a suggestion.
    pub async fn find_suggestion(&mut self, id: SuggestionId) -> Result<Option<Suggestion>> {
        self.find_suggestion_locking(id, "").await
    }

    /// Finds a suggestion and holds it until this transaction ends.
    pub async fn lock_suggestion(&mut self, id: SuggestionId) -> Result<Option<Suggestion>> {
        let lock = self.for_update();
        self.find_suggestion_locking(id, lock).await
    }

    async fn find_suggestion_locking(
        &mut self,
        id: SuggestionId,
        lock: &'static str,
    ) -> Result<Option<Suggestion>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM suggestions WHERE id = ").push_bind(id).push(lock);
            sql.build_query_as().fetch_optional(db).await
        })
        .during("find a suggestion")
    }

    /// Finds the votable addition of this normalised URL.
    pub async fn find_open_addition(&mut self, url_key: &str) -> Result<Option<SuggestionId>> {
        const SQL: &str = "SELECT id FROM suggestions
            WHERE url_key = $1 AND kind = 'add' AND status IN ('open', 'approving') ORDER BY id LIMIT 1";
        on!(self, db => sqlx::query_scalar(SQL).bind(url_key).fetch_optional(db).await)
            .during("find an open addition")
    }

    /// Lists suggestions by id, in no order.
    pub async fn list_suggestions_of(&mut self, ids: &[SuggestionId]) -> Result<Vec<Suggestion>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM suggestions WHERE id IN (");
            let mut list = sql.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list suggestions by id")
    }

    /// Lists suggestions.
    pub async fn list_suggestions(
        &mut self,
        filter: &SuggestionFilter,
        sort: SuggestionSort,
        page: &PageRequest,
    ) -> Result<Page<Suggestion>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            suggestion: Suggestion,
            hot: f64,
            controversy: f64,
        }
        let column = match sort {
            SuggestionSort::Hot => "hot",
            SuggestionSort::Top => "score",
            SuggestionSort::New => "id",
            SuggestionSort::Controversial => "controversy",
        };
        let rows: Vec<Row> = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(", hot, controversy FROM suggestions WHERE ");
            match (filter.status, filter.author.or(filter.resource.map(|id| MemberId(id.0)))) {
                (Some(status), _) => { sql.push("status = ").push_bind(status); }
                (None, Some(_)) => { sql.push("1 = 1"); }
                (None, None) => { sql.push("status IN ('open', 'approving')"); }
            }
            if let Some(kind) = filter.kind {
                sql.push(" AND kind = ").push_bind(kind);
            }
            if let Some(author) = filter.author {
                sql.push(" AND author_id = ").push_bind(author);
            }
            if let Some(resource) = filter.resource {
                sql.push(" AND resource_id = ").push_bind(resource);
            }
            if let Some((key, id)) = page.after::<(i64, SuggestionId)>()? {
                match sort {
                    SuggestionSort::New => { sql.push(" AND id < ").push_bind(id); }
                    SuggestionSort::Top => {
                        sql.push(" AND (score, id) < (").push_bind(key).push(", ").push_bind(id).push(")");
                    }
                    SuggestionSort::Hot | SuggestionSort::Controversial => {
                        sql.push(" AND (").push(column).push(", id) < (")
                            .push_bind(f64::from_bits(key.cast_unsigned())).push(", ").push_bind(id).push(")");
                    }
                }
            }
            sql.push(" ORDER BY ").push(column).push(" DESC, id DESC LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list suggestions")?;
        let page = page.page(rows, |row| {
            let key = match sort {
                SuggestionSort::New => 0,
                SuggestionSort::Top => row.suggestion.standing.score,
                // A float's bits travel exactly; its decimal digits might not.
                SuggestionSort::Hot => row.hot.to_bits().cast_signed(),
                SuggestionSort::Controversial => row.controversy.to_bits().cast_signed(),
            };
            (key, row.suggestion.id)
        });
        Ok(page.map(|row| row.suggestion))
    }

    /// Lists at most `limit` suggestions that a rule may be about: those `approving` whose time has come, and open ones
    /// with a score of `least` or more, the highest first.
    pub async fn list_ripe_suggestions(
        &mut self,
        least: i64,
        now: Time,
        limit: u32,
    ) -> Result<Vec<Suggestion>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS)
                .push(" FROM suggestions WHERE (status = 'approving' AND approving_until <= ")
                .push_bind(now)
                .push(") OR (status = 'open' AND score >= ")
                .push_bind(least)
                .push(") ORDER BY score DESC, id LIMIT ")
                .push_bind(i64::from(limit));
            sql.build_query_as().fetch_all(db).await
        })
        .during("list ripe suggestions")
    }

    /// Counts the votable suggestions about each of these resources; those without any are left out.
    pub async fn count_open_suggestions_of(
        &mut self,
        resources: &[ResourceId],
    ) -> Result<Vec<(ResourceId, i64)>> {
        if resources.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT resource_id, COUNT(*) FROM suggestions
                    WHERE status IN ('open', 'approving') AND resource_id IN (",
            );
            let mut list = sql.separated(", ");
            for id in resources {
                list.push_bind(id);
            }
            sql.push(") GROUP BY resource_id");
            sql.build_query_as().fetch_all(db).await
        })
        .during("count open suggestions")
    }

    /// Lists the votable suggestions about a resource, oldest first.
    pub async fn list_open_suggestions_about(&mut self, resource: ResourceId) -> Result<Vec<Suggestion>> {
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS)
                .push(" FROM suggestions WHERE status IN ('open', 'approving') AND resource_id = ")
                .push_bind(resource)
                .push(" ORDER BY id");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list open suggestions about a resource")
    }

    /// Counts the votable suggestions of a member.
    pub async fn count_open_suggestions_by(&mut self, author: MemberId) -> Result<i64> {
        const SQL: &str =
            "SELECT COUNT(*) FROM suggestions WHERE author_id = $1 AND status IN ('open', 'approving')";
        on!(self, db => sqlx::query_scalar(SQL).bind(author).fetch_one(db).await)
            .during("count a member's open suggestions")
    }

    /// Counts the suggestions in each status.
    pub async fn count_suggestions(&mut self) -> Result<Vec<(SuggestionStatus, i64)>> {
        const SQL: &str = "SELECT status, COUNT(*) FROM suggestions GROUP BY status";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await).during("count suggestions")
    }

    /// Changes where a suggestion stands.
    pub async fn decide(&mut self, id: SuggestionId, decision: &Decision) -> Result<()> {
        const SQL: &str = "UPDATE suggestions SET status = $2, resource_id = $3, approving_until = $4,
                decided_at = $5, decided_by = $6, decision_reason = $7 WHERE id = $1";
        on!(self, db => sqlx::query(SQL)
            .bind(id)
            .bind(decision.status)
            .bind(decision.resource_id)
            .bind(decision.approving_until)
            .bind(decision.decided_at)
            .bind(decision.decided_by)
            .bind(&decision.reason)
            .execute(db)
            .await
            .map(|_| ()))
        .during("decide a suggestion")
    }

    /// Notes or lifts a curator's objection.
    pub async fn put_objection(
        &mut self,
        id: SuggestionId,
        objection: Option<&str>,
        curator: Option<MemberId>,
    ) -> Result<()> {
        const SQL: &str = "UPDATE suggestions SET objection = $2, objection_by = $3 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(objection).bind(curator).execute(db).await.map(|_| ()))
            .during("note an objection")
    }

    /// Replaces what is known of a suggestion's dead link.
    pub async fn put_evidence(&mut self, id: SuggestionId, evidence: Option<&str>) -> Result<()> {
        const SQL: &str = "UPDATE suggestions SET evidence = $2 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(evidence).execute(db).await.map(|_| ()))
            .during("note evidence")
    }
}
