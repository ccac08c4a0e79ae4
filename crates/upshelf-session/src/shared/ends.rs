//! The ends of sessions: announced, made by the vault, told.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use upshelf_redis::{Error, Script, client};
use uuid::Uuid;

use super::names::hash;
use super::untold::Telling;
use super::{Inner, MARK_LIFE, Shared, millis, news, nonce};

static CLOSE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/close-1.lua")));
static END: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../../lua/end-n.lua")));

/// How long an announced end may take to be done: longer than any transaction of a vault that is well.
const CLOSING_LIFE: Duration = Duration::from_secs(10);
/// The pause between two tries to tell Redis of an end.
const PAUSE: Duration = Duration::from_millis(250);
/// How many sessions one script ends.
const PORTION: usize = 500;

/// Sessions of a member that are about to end, or have ended and Redis may not know it.
pub(crate) struct Closing {
    member_id: Uuid,
    mark: String,
    telling: Telling,
    left: Duration,
}

impl Shared {
    /// Announces that sessions of a member are about to end: from now on until [`end`](Self::end) nobody takes Redis's
    /// word about them, also if this process does not live to see that.
    pub(crate) async fn close(&self, member_id: Uuid) -> Closing {
        let Inner { redis, quick, names, untold, .. } = &*self.inner;
        let (begun, telling) = (Instant::now(), untold.begin(member_id));
        let mut closing = Closing { member_id, mark: nonce(), telling, left: Duration::ZERO };
        if redis.health().is_up() {
            let args = [&closing.mark, &CLOSING_LIFE.as_millis().to_string()];
            if let Err(error) = quick.eval::<()>(&CLOSE, &[names.mark(member_id)], &args).await {
                self.note(&error, "announce the end of a session");
            }
            closing.left = self.left(begun);
        }
        closing
    }

    /// Tells Redis and all processes what has ended. What takes longer than the caller may wait goes on behind it, and what
    /// ends during an outage is told after it.
    pub(crate) async fn end(&self, closing: Closing, ended: &[Uuid]) {
        if closing.telling.is_one_too_many() {
            metrics::counter!("session_ends_untold_total").increment(1);
            if self.may_complain() {
                tracing::warn!(
                    "too many ends of sessions wait for Redis; other processes ask the vault in time"
                );
            }
            return;
        }
        let ended = ended.to_vec();
        self.behind(closing.left, |shared| async move { shared.tell(&closing, &ended).await }).await;
    }

    async fn tell(&self, closing: &Closing, ended: &[Uuid]) {
        let Inner { redis, confirm_every, .. } = &*self.inner;
        // From then on nothing that Redis was told before counts.
        let counted = Duration::try_from(*confirm_every).unwrap_or_default().saturating_add(CLOSING_LIFE);
        let (mut health, mut begun, mut rest) = (redis.watch_health(), Instant::now(), ended);
        loop {
            if !redis.health().is_up() {
                if health.wait_for(|health| health.is_up()).await.is_err() {
                    return;
                }
                begun = Instant::now();
            }
            let (portion, later) = rest.split_at(rest.len().min(PORTION));
            match self.tell_portion(closing, portion).await {
                Ok(()) if later.is_empty() => return,
                Ok(()) => rest = later,
                Err(error) => {
                    self.note(&error, "tell Redis of the end of a session");
                    if begun.elapsed() > counted {
                        metrics::counter!("session_ends_untold_total").increment(1);
                        return;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn tell_portion(&self, closing: &Closing, ended: &[Uuid]) -> Result<(), Error> {
        let Inner { sure, names, access_ttl, .. } = &*self.inner;
        let member_id = closing.member_id;
        let mut keys = vec![names.mark(member_id), names.sessions_of(member_id)];
        keys.extend(ended.iter().map(|session_id| names.session(member_id, *session_id)));
        let mut args = vec![
            nonce(),
            MARK_LIFE.as_millis().to_string(),
            closing.mark.clone(),
            millis(*access_ttl),
            names.channel(),
            news::write(ended),
        ];
        args.extend(ended.iter().map(|session_id| hash(*session_id)));
        let refresh: Vec<String> = sure.eval(&END, &keys, &args).await?;
        if !refresh.is_empty() {
            let mut unlink = client::cmd("UNLINK");
            unlink.arg(refresh.iter().map(|of| names.refresh(member_id, of)).collect::<Vec<_>>());
            sure.query::<()>(&unlink).await?;
        }
        Ok(())
    }
}
