//! The jobs that changes leave behind. Their handlers stand in `upshelf-worker`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use upshelf_cache::Inv;
use upshelf_queue::{Connection, Job};
use upshelf_store::{CommentId, LogId, MailId, MemberId, SuggestionId, Tx};
use uuid::Uuid;

use crate::meter::Use;

/// The five queues.
pub const QUEUES: [&str; 5] = ["auto-approval", "notifications", "analytics", "email", "cleanup"];

/// Looks at a suggestion that may be ripe, and applies it when its rule is met and its delay is over.
///
/// Idempotent: it acts on what the suggestion is then, under a lock; a decided one is left alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AutoApproval {
    /// Which suggestion.
    pub suggestion: SuggestionId,
}

impl Job for AutoApproval {
    const NAME: &'static str = "auto-approval";
    const QUEUE: &'static str = "auto-approval";
}

/// Looks for suggestions that are due and have no job any more.
///
/// Idempotent: it takes each one on as [`AutoApproval`] does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SweepApprovals {}

impl Job for SweepApprovals {
    const NAME: &'static str = "sweep-approvals";
    const QUEUE: &'static str = "auto-approval";
    const TIMEOUT: Duration = Duration::from_secs(300);
}

/// Tells those concerned about an entry of the public log: the next of them, and leaves a job for the rest.
///
/// Idempotent: a member has at most one notice and one mail of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notify {
    /// The entry.
    pub log: LogId,
    /// The last of those who are told already; nobody is at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MemberId>,
}

impl Job for Notify {
    const NAME: &'static str = "notify";
    const QUEUE: &'static str = "notifications";
}

/// Tells those concerned about a comment: the next of them, and leaves a job for the rest.
///
/// Idempotent: a member has at most one notice and one mail of a comment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotifyComment {
    /// The comment.
    pub comment: CommentId,
    /// The last of those who are told already; nobody is at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MemberId>,
}

impl Job for NotifyComment {
    const NAME: &'static str = "notify-comment";
    const QUEUE: &'static str = "notifications";
}

/// Tells those concerned how many people voted on a suggestion: the next of them, and leaves a job for the rest.
///
/// Idempotent: a member has at most one notice and one mail of so many votes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotifyVotes {
    /// The suggestion.
    pub suggestion: SuggestionId,
    /// How many votes it had when this was decided.
    pub votes: i64,
    /// The last of those who are told already; nobody is at first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MemberId>,
}

impl Job for NotifyVotes {
    const NAME: &'static str = "notify-votes";
    const QUEUE: &'static str = "notifications";
}

/// Looks for votes that nobody was told of.
///
/// Idempotent: how many votes were told is noted with the jobs that tell them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TellOfVotes {}

impl Job for TellOfVotes {
    const NAME: &'static str = "tell-of-votes";
    const QUEUE: &'static str = "notifications";
}

/// Hands a mail to the mail server.
///
/// Idempotent as far as mail can be: one that is noted as sent is not sent again, and one worker at a time has it in hand.
/// Only a process that ends after the server took the mail and before the note of it sends it a second time, and then under
/// the same `Message-ID`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendMail {
    /// The mail.
    pub mail: MailId,
}

impl Job for SendMail {
    const NAME: &'static str = "send-mail";
    const QUEUE: &'static str = "email";
    // A mail server may be away for hours: 1 s, 2 s, 4 s … 1 h, some seven hours in all.
    const ATTEMPTS: Option<u16> = Some(18);
    const TIMEOUT: Duration = Duration::from_secs(60);
}

/// Writes the daily mails to those who wish them.
///
/// Idempotent: a member has at most one such mail a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WriteDigests {}

impl Job for WriteDigests {
    const NAME: &'static str = "write-digests";
    const QUEUE: &'static str = "email";
    const TIMEOUT: Duration = Duration::from_secs(600);
}

/// Adds counts of views, saves and votes to the library's.
///
/// Idempotent: a batch that was added before is left alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CountUse {
    /// Names the batch.
    pub batch: Uuid,
    /// What was counted.
    pub uses: Vec<Use>,
}

impl Job for CountUse {
    const NAME: &'static str = "count-use";
    const QUEUE: &'static str = "analytics";
}

/// Computes anew how popular each resource is.
///
/// Idempotent: it depends on nothing but the counts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RecountPopularity {}

impl Job for RecountPopularity {
    const NAME: &'static str = "recount-popularity";
    const QUEUE: &'static str = "analytics";
    const TIMEOUT: Duration = Duration::from_secs(300);
}

/// Makes good for processes that ended between a commit of votes and telling Redis of it.
///
/// Idempotent: an older standing never overwrites a newer one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReconcileStandings {}

impl Job for ReconcileStandings {
    const NAME: &'static str = "reconcile-standings";
    const QUEUE: &'static str = "cleanup";
}

/// Puts away what nobody needs any more.
///
/// Idempotent: what is gone is gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CleanUp {}

impl Job for CleanUp {
    const NAME: &'static str = "clean-up";
    const QUEUE: &'static str = "cleanup";
    const TIMEOUT: Duration = Duration::from_secs(300);
}

/// Looks at the links that were not looked at for a while.
///
/// Idempotent: each look is noted by itself, so that a walk that was cut short is gone on with; one process walks at a time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CheckLinks {}

impl Job for CheckLinks {
    const NAME: &'static str = "check-links";
    const QUEUE: &'static str = "cleanup";
    const TIMEOUT: Duration = Duration::from_secs(600);
}

/// Makes good for a process that ended between a change and its invalidation in the cache that all processes share.
///
/// Idempotent: what is loaded anew is loaded anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invalidate {
    /// What the change made stale.
    pub what: Vec<Inv>,
}

impl Job for Invalidate {
    const NAME: &'static str = "invalidate";
    const QUEUE: &'static str = "cleanup";
}

/// Hands a store's transaction to the queue, so that a job is committed with its cause.
pub(crate) fn connection(tx: &mut Tx) -> Connection<'_> {
    match tx {
        Tx::Sqlite(tx) => Connection::Sqlite(tx),
        Tx::Postgres(tx) => Connection::Postgres(tx),
    }
}
