mod ends;
mod names;
mod news;
mod outages;
mod untold;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use upshelf_redis::{Class, Error, Lane, Line, Redis, Script};
use uuid::Uuid;

use self::names::{Names, hash};
use self::outages::Outages;
use self::untold::Untold;
use crate::local::{Local, Standing};
use crate::rows::Session;
use crate::settings::Settings;

static LOOK_UP: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/look_up-2.lua")));
static FILL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/fill-4.lua")));
static ROTATE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("../lua/rotate-5.lua")));

/// How long a mark is kept that no session was stored with yet.
const MARK_LIFE: Duration = Duration::from_secs(3600);
/// How often wrong answers are logged.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);
/// No key lives longer than this, whatever the settings say.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// What all processes know, through Redis.
///
/// It is a memory of what the vault said, never more: an answer counts only if nothing can have happened to it since
/// (`README.md`, "Why Redis revives nothing"), and whatever is in doubt is an [`Answer::Ask`].
#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    /// For look-ups, which the vault can do as well.
    quick: Line,
    /// For changes, which should arrive.
    sure: Line,
    names: Names,
    hears: Arc<AtomicBool>,
    outages: Outages,
    untold: Untold,
    last_complaint: Mutex<Option<Instant>>,
    /// How long Redis's word counts after the vault gave it; then this process may remember it for a while.
    counts_for: SignedDuration,
    confirm_every: SignedDuration,
    access_ttl: SignedDuration,
}

/// What Redis says about a session.
pub(crate) enum Answer {
    Open(Open, Ticket),
    Revoked,
    /// Nothing that counts; with a ticket, the vault's answer is welcome.
    Ask(Option<Ticket>),
}

/// An open session as Redis remembers it.
pub(crate) struct Open {
    pub(crate) standing: Standing,
    pub(crate) last_seen_at: Timestamp,
}

/// Lets one bring back what the vault said, unless something ends meanwhile.
pub(crate) struct Ticket {
    member_id: Uuid,
    mark: String,
    given_at: u64,
    left: Duration,
}

impl Shared {
    pub(crate) fn new(redis: &Redis, settings: &Settings, local: &Arc<Local>) -> Self {
        let names = Names::of(redis.keys().clone());
        let hears = news::listen(redis, names.channel(), Arc::downgrade(local));
        let inner = Inner {
            redis: redis.clone(),
            quick: redis.line(Lane::Decisions, Class::FailFast),
            sure: redis.line(Lane::Decisions, Class::Queue),
            hears,
            outages: Outages::of(redis, &names),
            names,
            untold: Untold::default(),
            last_complaint: Mutex::default(),
            counts_for: settings.confirm_every.saturating_sub(settings.trust_ttl).max(SignedDuration::ZERO),
            confirm_every: settings.confirm_every,
            access_ttl: settings.access_ttl,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says whether Redis is away, or what other processes end is not heard.
    pub(crate) fn is_degraded(&self) -> bool {
        !self.inner.hears.load(Ordering::Acquire) || !self.inner.redis.health().is_up()
    }

    /// Looks up a session in one round trip.
    pub(crate) async fn look_up(&self, member_id: Uuid, session_id: Uuid) -> Answer {
        let Inner { quick, names, outages, untold, counts_for, .. } = &*self.inner;
        // Also before the vault knows of the end: this process must not bring back what it is ending.
        if untold.has(member_id) {
            return Answer::Ask(None);
        }
        let Some(visit) = outages.visit() else { return Answer::Ask(None) };
        let (keys, new) = ([names.session(member_id, session_id), names.mark(member_id)], nonce());
        let counts_since = visit.counts_since().map_or_else(|| "now".to_owned(), |since| since.to_string());
        let (begun, counts_for) = (Instant::now(), counts_for.as_millis().to_string());
        let args = [new, MARK_LIFE.as_millis().to_string(), counts_for, counts_since];
        let reply: Vec<String> = match quick.eval(&LOOK_UP, &keys, &args).await {
            Ok(reply) => reply,
            Err(error) => {
                self.note(&error, "look up a session");
                return Answer::Ask(None);
            }
        };
        let Some((now, state, mark, fields)) = read(&reply) else { return Answer::Ask(None) };
        let is_unbroken = outages.ended(visit, now);
        let left = self.left(begun);
        let ticket =
            (!mark.is_empty()).then(|| Ticket { member_id, mark: mark.to_owned(), given_at: now, left });
        match (state, Open::read(fields), ticket) {
            ("revoked", ..) => Answer::Revoked,
            ("open", Some(open), Some(ticket)) if is_unbroken && !untold.has(member_id) => {
                Answer::Open(open, ticket)
            }
            (.., ticket) => Answer::Ask(ticket),
        }
    }

    /// Gives a ticket for a session that is about to be stored.
    pub(crate) async fn ticket(&self, member_id: Uuid, session_id: Uuid) -> Option<Ticket> {
        match self.look_up(member_id, session_id).await {
            Answer::Open(_, ticket) => Some(ticket),
            Answer::Revoked => None,
            Answer::Ask(ticket) => ticket,
        }
    }

    /// Brings back what the vault said after the ticket was given.
    pub(crate) async fn fill(&self, ticket: Ticket, session: &Session, now: Timestamp) {
        // Somebody's token may name a session of somebody else, if a signing key was stolen.
        if session.member_id != ticket.member_id {
            return;
        }
        let names = &self.inner.names;
        let Some(life) = life_of(session, now) else { return };
        let keys = [
            names.session(session.member_id, session.id),
            names.mark(session.member_id),
            names.sessions_of(session.member_id),
            names.refresh(session.member_id, &session.current_hash),
        ];
        let mut args = vec![
            ticket.mark,
            life,
            hash(session.id),
            ticket.given_at.to_string(),
            session.current_hash.clone(),
        ];
        if session.revoked.is_some() {
            args.push("revoked".to_owned());
        } else {
            args.push("open".to_owned());
            args.push(session.member_id.to_string());
            let times = [session.auth_time, session.expires_at, session.idle_until, session.last_seen_at];
            args.extend(times.iter().map(|time| time.as_microsecond().to_string()));
        }
        self.behind(ticket.left, |shared| async move {
            if let Err(error) = shared.inner.quick.eval::<()>(&FILL, &keys, &args).await {
                shared.note(&error, "remember a session");
            }
        })
        .await;
    }

    /// Tells Redis of a rotation; this is the session after it. Nothing is lost with it: the next look-up finds out.
    pub(crate) async fn rotated(&self, replaced: &str, session: &Session, now: Timestamp) {
        let Inner { redis, names, .. } = &*self.inner;
        let Some(life) = life_of(session, now).filter(|_| redis.health().is_up()) else { return };
        let member_id = session.member_id;
        let keys = [
            names.session(member_id, session.id),
            names.mark(member_id),
            names.sessions_of(member_id),
            names.refresh(member_id, replaced),
            names.refresh(member_id, &session.current_hash),
        ];
        let args = [
            nonce(),
            life,
            hash(session.id),
            replaced.to_owned(),
            session.current_hash.clone(),
            session.idle_until.as_microsecond().to_string(),
            session.last_seen_at.as_microsecond().to_string(),
        ];
        self.behind(redis.settings().fail_fast, |shared| async move {
            if let Err(error) = shared.inner.sure.eval::<()>(&ROTATE, &keys, &args).await {
                shared.note(&error, "tell Redis of a rotation");
            }
        })
        .await;
    }

    /// Begins something with Redis, and waits for it as long as its caller may.
    async fn behind<F>(&self, left: Duration, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (done, hear) = oneshot::channel();
        let work = work(self.clone());
        self.inner.redis.spawn(async move {
            work.await;
            // The caller may have gone on.
            let _ = done.send(());
        });
        if !left.is_zero() {
            let _ = timeout(left, hear).await;
        }
    }

    /// What is left of the time that a request may wait for Redis.
    fn left(&self, begun: Instant) -> Duration {
        self.inner.redis.settings().fail_fast.saturating_sub(begun.elapsed())
    }

    /// That Redis is away is told by `upshelf-redis`; what it answers wrongly, here, now and then.
    fn note(&self, error: &Error, what: &'static str) {
        if !error.is_away() && self.may_complain() {
            tracing::warn!(error = error as &dyn std::error::Error, what, "Redis could not do its part");
        }
    }

    fn may_complain(&self) -> bool {
        let now = Instant::now();
        let mut last = self.inner.last_complaint.lock().expect("no code panics while it holds this lock");
        let may = last.is_none_or(|last| now.duration_since(last) >= COMPLAINT_EVERY);
        if may {
            *last = Some(now);
        }
        may
    }
}

impl Open {
    fn read(fields: &[String]) -> Option<Self> {
        let [member_id, auth_time, expires_at, idle_until, last_seen_at] = fields else { return None };
        let time = |text: &String| Timestamp::from_microsecond(text.parse().ok()?).ok();
        let standing = Standing::Open {
            member_id: member_id.parse().ok()?,
            auth_time: time(auth_time)?,
            expires_at: time(expires_at)?,
            idle_until: time(idle_until)?,
        };
        Some(Self { standing, last_seen_at: time(last_seen_at)? })
    }
}

fn read(reply: &[String]) -> Option<(u64, &str, &str, &[String])> {
    let [now, state, mark, fields @ ..] = reply else { return None };
    Some((now.parse().ok()?, state, mark, fields))
}

/// How long a session has to live at most; nothing for one that is over by its times.
///
/// A duration, because the caller's clock and the server's need not agree on the date.
fn life_of(session: &Session, now: Timestamp) -> Option<String> {
    let left = session.expires_at.min(session.idle_until).duration_since(now);
    left.is_positive().then(|| millis(left))
}

fn millis(life: SignedDuration) -> String {
    life.min(LONGEST).as_millis().max(1).to_string()
}

/// Something that was never there before.
fn nonce() -> String {
    let mut bytes = [0; 12];
    rand::fill(&mut bytes).expect("this machine gave randomness for its keys");
    URL_SAFE_NO_PAD.encode(bytes)
}
