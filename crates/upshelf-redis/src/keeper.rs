//! Keeps one lane connected, for ever.

use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, PushKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::error::is_refusal;
use crate::health::{Condition, Pulse};
use crate::lane::{Lane, State};
use crate::life::Lives;
use crate::link::{Link, OnPush};

/// How often a server is asked whether it is there, so that its absence is known without traffic.
const CHECK: Duration = Duration::from_secs(1);
/// How long it may take to say so before it counts as away.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a server that loads its data is looked at.
const LOADING_LOOK: Duration = Duration::from_millis(100);
/// The longest pause between two tries to connect: short, because what was missed meanwhile is made good after it.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The same where trying again does not help: a password that is refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// What a keeper needs beside its lane.
pub(crate) struct Keeper {
    pub(crate) lane: Arc<Lane>,
    /// Which of the handle's connections it is.
    pub(crate) place: usize,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) lives: Arc<Lives>,
}

impl Keeper {
    /// Connects, watches, and connects again, until `closing`.
    pub(crate) async fn run(self, closing: CancellationToken) {
        let kept = closing.run_until_cancelled(self.keep()).await;
        debug_assert!(kept.is_none(), "it keeps for ever");
        self.lane.state.send_replace(State::default());
    }

    async fn keep(&self) {
        let mut backoff = Backoff::up_to(LONGEST_PAUSE);
        let mut was_refused = false;
        loop {
            let gone = Arc::new(Notify::new());
            match self.connect(&gone).await {
                Ok(()) => {
                    backoff.reset();
                    was_refused = false;
                    self.watch(&gone).await;
                    metrics::counter!("redis_disconnections_total").increment(1);
                    self.lane.state.send_modify(|state| state.link = None);
                    self.set(Condition::Down);
                }
                Err(error) if is_refusal(&error) => {
                    self.set(Condition::Down);
                    if !std::mem::replace(&mut was_refused, true) {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "Redis refused the sign-in"
                        );
                    }
                    sleep(REFUSED_PAUSE).await;
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not connect to Redis");
                    self.set(Condition::Down);
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn connect(&self, gone: &Arc<Notify>) -> RedisResult<()> {
        let settings = &self.lane.settings;
        let on_push: OnPush = {
            let gone = Arc::clone(gone);
            Arc::new(move |push| {
                if push.kind == PushKind::Disconnection {
                    gone.notify_one();
                }
            })
        };
        let opening = timeout(settings.connect_timeout, Link::open(settings, on_push));
        let mut link = opening.await.map_err(|_| timed_out())??;
        self.wait_for_data(&mut link).await?;
        let asking = timeout(settings.command_timeout, link.life());
        let life = self.lives.note(asking.await.map_err(|_| timed_out())??);
        self.lane.breaker.close(Instant::now());
        self.lane.state.send_modify(|state| {
            *state = State {
                link: Some((link, life)),
                number: state.number + 1,
                is_answering: true,
                is_broken: false,
            };
        });
        self.set(Condition::Up);
        Ok(())
    }

    /// Waits while the server still loads its data.
    async fn wait_for_data(&self, link: &mut Link) -> RedisResult<()> {
        let settings = &self.lane.settings;
        let deadline = Instant::now() + settings.loading_timeout;
        loop {
            match timeout(settings.command_timeout, link.ping()).await.map_err(|_| timed_out())? {
                Err(error) if is_loading(&error) && Instant::now() < deadline => {
                    self.set(Condition::Loading);
                    sleep(LOADING_LOOK).await;
                }
                answer => return answer,
            }
        }
    }

    /// Returns when the connection is to be replaced.
    async fn watch(&self, gone: &Notify) {
        let Some((mut link, _)) = self.lane.state.borrow().link.clone() else { return };
        let is_cluster = matches!(link, Link::Cluster(_));
        loop {
            let is_open = self.lane.breaker.is_open();
            let pause = if is_open { self.lane.pause() } else { CHECK };
            tokio::select! {
                () = gone.notified() => {
                    // The client of a cluster finds another way itself, or says so at the next command.
                    if !is_cluster {
                        return;
                    }
                }
                () = self.lane.trouble.notified() => {
                    if self.lane.state.borrow().is_broken {
                        return;
                    }
                    continue;
                }
                () = sleep(pause) => {}
            }
            let checked = tokio::select! {
                checked = self.check(&mut link) => checked,
                () = gone.notified(), if !is_cluster => return,
                () = self.until_broken() => return,
            };
            if let Err(error) = checked {
                tracing::debug!(error = &error as &dyn std::error::Error, "Redis failed its check");
                return;
            }
        }
    }

    async fn until_broken(&self) {
        while !self.lane.state.borrow().is_broken {
            self.lane.trouble.notified().await;
        }
    }

    /// Asks the server whether it is there. One that is frozen answers as soon as it goes on, so it is asked once and
    /// waited for.
    async fn check(&self, link: &mut Link) -> RedisResult<()> {
        let limit = self.lane.settings.command_timeout;
        let mut asking = std::pin::pin!(async {
            let life = self.lives.note(link.life().await?);
            Ok::<_, RedisError>((link.must_still_be_primary(&self.lane.settings).await?, life).1)
        });
        let life = match timeout(PATIENCE.min(limit), &mut asking).await {
            Ok(answer) => answer?,
            Err(_) => {
                self.lane.is_silent();
                self.set(Condition::Down);
                timeout(limit, asking).await.map_err(|_| timed_out())??
            }
        };
        self.lane.state.send_if_modified(|state| match &mut state.link {
            Some((_, known)) => std::mem::replace(known, life) != life,
            None => false,
        });
        self.lane.answers();
        self.set(Condition::Up);
        Ok(())
    }

    fn set(&self, condition: Condition) {
        self.pulse.set(self.place, condition, Instant::now());
    }
}

fn is_loading(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading)
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
