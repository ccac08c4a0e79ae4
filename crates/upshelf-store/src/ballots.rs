//! Casting votes: commits are shared.
//!
//! While one batch commits, the next one gathers; nothing waits when idle. A vote is answered after the commit of its
//! batch, with the standing right after *it*: within a batch votes count one after the other, in the order they came.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sqlx::QueryBuilder;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::database::on;
use crate::error::During;
use crate::ranking::{controversy, hot};
use crate::{
    Error, MemberId, ResourceId, Result, Side, Standing, Store, SuggestionId, SuggestionKind,
    SuggestionStatus, Time, Tx,
};

/// A vote to be cast.
#[derive(Clone, Debug)]
pub struct Cast {
    /// What is voted on.
    pub suggestion: SuggestionId,
    /// Who votes.
    pub member: MemberId,
    /// The side taken; `None` takes an earlier vote back.
    pub side: Option<Side>,
    /// A keyed hash of the voter's network.
    pub origin: Option<String>,
    /// When.
    pub at: Time,
}

/// What became of a cast vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the database; this is the standing right after it, and the resource that the suggestion is about.
    Counted(Standing, Option<ResourceId>),
    /// There is no such suggestion.
    Missing,
    /// The suggestion was decided before.
    Closed(SuggestionStatus),
    /// The suggestion is the voter's own.
    Own,
    /// The voter is shut out.
    Banned,
}

/// A suggestion whose standing a batch changed.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Touched {
    /// Names the suggestion.
    pub id: SuggestionId,
    /// What it asks for.
    pub kind: SuggestionKind,
    /// Where it stands.
    pub status: SuggestionStatus,
    /// Who proposed it.
    pub author_id: MemberId,
    /// The resource it is about.
    pub resource_id: Option<ResourceId>,
    /// Whether a dead link was seen.
    pub evidence: Option<String>,
    /// Whether a curator objects.
    pub objection: Option<String>,
    /// When it was proposed.
    pub opened_at: Time,
    /// Its votes, counted.
    #[sqlx(flatten)]
    pub standing: Standing,
    /// The same before this batch.
    #[sqlx(skip)]
    pub before: Standing,
}

/// What happens around a shared commit.
pub trait Count: Send + Sync + 'static {
    /// Runs inside the batch's transaction, with the suggestions whose standings it changed, in id order. What it
    /// writes is committed with the votes; an error takes the whole batch back.
    fn counted(
        &self,
        tx: &mut Tx,
        touched: &[Touched],
    ) -> impl Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + Send;

    /// Runs after the commit, before the votes are answered.
    fn committed(&self, touched: &[Touched]) -> impl Future<Output = ()> + Send;
}

/// Takes votes and commits them in batches. Cheap to clone; the task behind it ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Ballots {
    sender: mpsc::Sender<Waiting>,
}

struct Waiting {
    cast: Cast,
    answer: oneshot::Sender<Result<Outcome>>,
}

impl Ballots {
    /// Begins taking votes; at most `most` are committed at once. The task runs under `tracker`.
    pub fn open(store: Store, count: Arc<impl Count>, most: usize, tracker: &TaskTracker) -> Ballots {
        let (sender, mut receiver) = mpsc::channel::<Waiting>(4 * most.max(1));
        tracker.spawn(async move {
            let mut batch = Vec::with_capacity(most);
            while receiver.recv_many(&mut batch, most.max(1)).await > 0 {
                let casts: Vec<Cast> = batch.iter().map(|waiting| waiting.cast.clone()).collect();
                match commit(&store, &*count, &casts).await {
                    Ok(outcomes) => {
                        for (waiting, outcome) in batch.drain(..).zip(outcomes) {
                            // Whoever asked may be gone; the vote stands all the same.
                            let _ = waiting.answer.send(Ok(outcome));
                        }
                    }
                    // One vote that cannot be written must not take the others with it: each on its own, then.
                    Err(error) if batch.len() > 1 => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "a batch of votes failed");
                        for waiting in batch.drain(..) {
                            let outcome = commit(&store, &*count, std::slice::from_ref(&waiting.cast)).await;
                            let _ = waiting.answer.send(outcome.map(|outcomes| outcomes[0]));
                        }
                    }
                    Err(error) => {
                        if let Some(waiting) = batch.pop() {
                            let _ = waiting.answer.send(Err(error));
                        }
                    }
                }
            }
        });
        Ballots { sender }
    }

    /// Casts a vote and waits until it is committed.
    ///
    /// # Errors
    /// What the database says; then the vote is not in it, unless the commit's own answer was lost.
    pub async fn cast(&self, cast: Cast) -> Result<Outcome> {
        let (answer, outcome) = oneshot::channel();
        self.sender.send(Waiting { cast, answer }).await.map_err(|_| Error::Closing)?;
        outcome.await.map_err(|_| Error::Closing)?
    }
}

async fn commit(store: &Store, count: &impl Count, casts: &[Cast]) -> Result<Vec<Outcome>> {
    let mut tx = store.write().await?;
    // Members before suggestions, as a ban takes them: two that take the same locks in one order never wait in a circle.
    let banned = tx.hold_voters(casts).await?;
    let mut suggestions = tx.lock_touched(casts).await?;
    let earlier = tx.earlier_votes(casts).await?;
    let counted = tally(casts, &banned, &mut suggestions, earlier);
    if counted.changed.is_empty() {
        return Ok(counted.outcomes);
    }
    tx.write_votes(&counted.votes).await?;
    let touched: Vec<Touched> = counted.changed.iter().map(|id| suggestions[id].clone()).collect();
    tx.write_standings(&touched).await?;
    count.counted(&mut tx, &touched).await.map_err(Error::Inside)?;
    tx.commit().await?;
    count.committed(&touched).await;
    Ok(counted.outcomes)
}

struct Counted<'a> {
    outcomes: Vec<Outcome>,
    /// The last vote of each member on each suggestion.
    votes: BTreeMap<(SuggestionId, MemberId), &'a Cast>,
    /// The suggestions whose standing changed, in id order.
    changed: BTreeSet<SuggestionId>,
}

/// Counts the votes one after the other, as if each had been alone.
fn tally<'a>(
    casts: &'a [Cast],
    banned: &HashSet<MemberId>,
    suggestions: &mut BTreeMap<SuggestionId, Touched>,
    mut sides: HashMap<(SuggestionId, MemberId), i64>,
) -> Counted<'a> {
    let mut counted = Counted {
        outcomes: Vec::with_capacity(casts.len()),
        votes: BTreeMap::new(),
        changed: BTreeSet::new(),
    };
    for cast in casts {
        counted.outcomes.push(match suggestions.get_mut(&cast.suggestion) {
            None => Outcome::Missing,
            Some(_) if banned.contains(&cast.member) => Outcome::Banned,
            Some(suggestion) if !suggestion.status.is_votable() => Outcome::Closed(suggestion.status),
            Some(suggestion) if suggestion.author_id == cast.member => Outcome::Own,
            Some(suggestion) => {
                let side = cast.side.map_or(0, i64::from);
                let before = sides.insert((cast.suggestion, cast.member), side).unwrap_or(0);
                if side != before {
                    let standing = &mut suggestion.standing;
                    standing.up += i64::from(side == 1) - i64::from(before == 1);
                    standing.down += i64::from(side == -1) - i64::from(before == -1);
                    standing.score = standing.up - standing.down;
                    standing.version += 1;
                    counted.changed.insert(cast.suggestion);
                    counted.votes.insert((cast.suggestion, cast.member), cast);
                }
                Outcome::Counted(suggestion.standing, suggestion.resource_id)
            }
        });
    }
    counted
}

impl Tx {
    /// Holds the voters, so that none is shut out before this batch is committed; gives those who are already.
    async fn hold_voters(&mut self, casts: &[Cast]) -> Result<HashSet<MemberId>> {
        let ids: BTreeSet<MemberId> = casts.iter().map(|cast| cast.member).collect();
        let share = match self {
            Tx::Sqlite(_) => "",
            Tx::Postgres(_) => " FOR SHARE",
        };
        let rows: Vec<(MemberId, Option<Time>)> = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT id, banned_at FROM members WHERE id IN (");
            let mut list = sql.separated(", ");
            for id in rounded(&ids) {
                list.push_bind(id);
            }
            sql.push(") ORDER BY id").push(share);
            sql.build_query_as().fetch_all(db).await
        })
        .during("hold voters")?;
        Ok(rows.into_iter().filter(|(_, banned_at)| banned_at.is_some()).map(|(id, _)| id).collect())
    }

    /// Reads the suggestions voted on and holds them, in id order, so that two batches never wait for each other.
    async fn lock_touched(&mut self, casts: &[Cast]) -> Result<BTreeMap<SuggestionId, Touched>> {
        let ids: BTreeSet<SuggestionId> = casts.iter().map(|cast| cast.suggestion).collect();
        let lock = self.for_update();
        let rows: Vec<Touched> = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT id, kind, status, author_id, resource_id, evidence, objection, opened_at, up, down, score, version
                    FROM suggestions WHERE id IN (",
            );
            let mut list = sql.separated(", ");
            for id in rounded(&ids) {
                list.push_bind(id);
            }
            sql.push(") ORDER BY id").push(lock);
            sql.build_query_as().fetch_all(db).await
        })
        .during("lock suggestions")?;
        Ok(rows.into_iter().map(|row| (row.id, Touched { before: row.standing, ..row })).collect())
    }

    /// Reads what the voters of a batch voted before; a voided vote counts as none.
    async fn earlier_votes(&mut self, casts: &[Cast]) -> Result<HashMap<(SuggestionId, MemberId), i64>> {
        let pairs: BTreeSet<_> = casts.iter().map(|cast| (cast.suggestion, cast.member)).collect();
        let rows: Vec<(SuggestionId, MemberId, i64)> = on!(self, db => {
            let mut sql = QueryBuilder::new(
                "SELECT suggestion_id, member_id, value FROM votes
                    WHERE NOT void AND (suggestion_id, member_id) IN (",
            );
            sql.push_values(rounded(&pairs), |mut row, (suggestion, member)| {
                row.push_bind(suggestion).push_bind(member);
            });
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("read earlier votes")?;
        Ok(rows.into_iter().map(|(suggestion, member, value)| ((suggestion, member), value)).collect())
    }

    async fn write_votes(&mut self, votes: &BTreeMap<(SuggestionId, MemberId), &Cast>) -> Result<()> {
        let (cast, retracted): (Vec<&Cast>, Vec<&Cast>) =
            votes.values().copied().partition(|cast| cast.side.is_some());
        if !cast.is_empty() {
            on!(self, db => {
                let mut sql = QueryBuilder::new(
                    "INSERT INTO votes (suggestion_id, member_id, value, void, origin, cast_at) SELECT DISTINCT * FROM (",
                );
                sql.push_values(rounded(cast.iter().copied()), |mut row, cast| {
                    row.push_bind(cast.suggestion)
                        .push_bind(cast.member)
                        .push_bind(cast.side.map_or(0, i64::from))
                        .push_bind(false)
                        .push_bind(&cast.origin)
                        .push_bind(cast.at);
                });
                // Without a condition SQLite takes what follows for that of a join.
                sql.push(
                    ") AS v WHERE TRUE ON CONFLICT (suggestion_id, member_id) DO UPDATE SET value = excluded.value,
                        void = excluded.void, origin = excluded.origin, cast_at = excluded.cast_at",
                );
                sql.build().execute(db).await.map(|_| ())
            })
            .during("write votes")?;
        }
        if !retracted.is_empty() {
            on!(self, db => {
                let mut sql = QueryBuilder::new("DELETE FROM votes WHERE (suggestion_id, member_id) IN (");
                sql.push_values(rounded(retracted.iter().copied()), |mut row, cast| {
                    row.push_bind(cast.suggestion).push_bind(cast.member);
                });
                sql.push(")");
                sql.build().execute(db).await.map(|_| ())
            })
            .during("take votes back")?;
        }
        Ok(())
    }

    async fn write_standings(&mut self, touched: &[Touched]) -> Result<()> {
        on!(self, db => {
            // Both engines name the columns of VALUES column1, column2, …
            let mut sql = QueryBuilder::new(
                "UPDATE suggestions SET up = v.column2, down = v.column3, score = v.column4, version = v.column5,
                    hot = v.column6, controversy = v.column7 FROM (",
            );
            sql.push_values(rounded(touched), |mut row, touched| {
                let standing = touched.standing;
                row.push_bind(touched.id)
                    .push_bind(standing.up)
                    .push_bind(standing.down)
                    .push_bind(standing.score)
                    .push_bind(standing.version)
                    .push_bind(hot(standing.score, touched.opened_at))
                    .push_bind(controversy(standing.up, standing.down));
            });
            sql.push(") AS v WHERE suggestions.id = v.column1");
            sql.build().execute(db).await.map(|_| ())
        })
        .during("write standings")
    }
}

/// Repeats the last of some items until their number is a power of two. A statement for each number from 1 on would have to be
/// prepared by each connection; so there are few, and soon all are.
fn rounded<'a, T>(items: impl IntoIterator<Item = &'a T>) -> Vec<&'a T> {
    let mut items: Vec<&T> = items.into_iter().collect();
    if let Some(last) = items.last().copied() {
        items.resize(items.len().next_power_of_two(), last);
    }
    items
}
