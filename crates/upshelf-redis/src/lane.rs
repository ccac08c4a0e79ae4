//! One connection that commands share, and the way it is used while it is there, slow, or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{RedisError, RedisResult, ServerErrorKind};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::link::Link;
use crate::{Class, Error, Life, Result, Settings};

/// A connection under a supervisor (`keeper.rs`).
pub(crate) struct Lane {
    pub(crate) settings: Arc<Settings>,
    pub(crate) state: watch::Sender<State>,
    pub(crate) breaker: Breaker,
    /// Wakes the supervisor.
    pub(crate) trouble: Notify,
    /// Commands that wait for a connection.
    waiting: AtomicUsize,
}

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) link: Option<(Link, Life)>,
    /// Which connection it is: a late failure of an older one says nothing about this one.
    pub(crate) number: u64,
    /// Whether the server behind it answers.
    pub(crate) is_answering: bool,
    /// Whether it is to be replaced.
    pub(crate) is_broken: bool,
}

impl State {
    fn usable(&self) -> Option<(Link, Life, u64)> {
        if !self.is_answering || self.is_broken {
            return None;
        }
        self.link.as_ref().map(|(link, life)| (link.clone(), *life, self.number))
    }
}

impl Lane {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            state: watch::Sender::new(State::default()),
            breaker: Breaker::default(),
            trouble: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Does some work on the connection; with a life, only while it leads to that one.
    pub(crate) async fn run<T>(
        &self,
        class: Class,
        life: Option<Life>,
        work: impl AsyncFnOnce(&mut Link) -> RedisResult<T>,
    ) -> Result<T> {
        let (limit, usable) = match class {
            Class::FailFast => (self.settings.fail_fast, self.state.borrow().usable()),
            Class::Queue => (self.settings.command_timeout, self.wait().await),
        };
        let (mut link, led_to, number) = usable.ok_or(Error::Away(None))?;
        if life.is_some_and(|life| life != led_to) {
            return Err(Error::Away(None));
        }
        match timeout(limit, work(&mut link)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.failed(error, number)),
            Err(_) => {
                self.count_failure();
                Err(Error::Away(None))
            }
        }
    }

    /// Waits for a connection, not for ever and not with too many others.
    async fn wait(&self) -> Option<(Link, Life, u64)> {
        if let Some(usable) = self.state.borrow().usable() {
            return Some(usable);
        }
        let _place = Place::take(&self.waiting, self.settings.queue_max)?;
        let deadline = Instant::now() + self.settings.queue_deadline;
        let mut state = self.state.subscribe();
        let found = timeout_at(deadline, state.wait_for(|state| state.usable().is_some())).await;
        found.ok()?.ok()?.usable()
    }

    /// Sorts an error, and has the connection replaced where that helps.
    pub(crate) fn failed(&self, error: RedisError, number: u64) -> Error {
        let must_move = error.is_unrecoverable_error()
            || matches!(
                error.kind(),
                redis::ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading)
            );
        let error = Error::from(error);
        if error.is_away() {
            self.count_failure();
            if must_move {
                self.replace(number);
            }
        }
        error
    }

    fn count_failure(&self) {
        metrics::counter!("redis_failures_total").increment(1);
        if self.breaker.failed(Instant::now()) {
            metrics::counter!("redis_breaker_openings_total").increment(1);
            self.state.send_modify(|state| state.is_answering = false);
            self.trouble.notify_one();
        }
    }

    /// Has the connection of this number replaced.
    pub(crate) fn replace(&self, number: u64) {
        let is_current = self.state.send_if_modified(|state| {
            let is_current = state.number == number && !state.is_broken;
            state.is_broken |= is_current;
            is_current
        });
        if is_current {
            self.trouble.notify_one();
        }
    }

    /// Notes that the server behind it answers.
    pub(crate) fn answers(&self) {
        self.breaker.close(Instant::now());
        self.state.send_if_modified(|state| !std::mem::replace(&mut state.is_answering, true));
    }

    /// Notes that it does not.
    pub(crate) fn is_silent(&self) {
        self.state.send_if_modified(|state| std::mem::replace(&mut state.is_answering, false));
    }

    /// How long the supervisor leaves a silent server in peace.
    pub(crate) fn pause(&self) -> Duration {
        self.breaker.pause()
    }
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Option<Self> {
        let taken = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (taken < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
