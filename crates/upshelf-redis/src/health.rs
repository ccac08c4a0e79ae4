use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

/// How Redis is, as this process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Up,
    /// It does not answer.
    Degraded {
        /// Since when.
        since: Instant,
    },
    /// It is there and still loads its data.
    Loading,
}

impl Health {
    /// Says whether commands are worth sending.
    pub fn is_up(self) -> bool {
        self == Self::Up
    }
}

/// How one connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Up,
    Down,
    Loading,
}

/// What all connections together say: Redis is up when every one of them is.
#[derive(Debug)]
pub(crate) struct Pulse {
    conditions: Mutex<Vec<Condition>>,
    health: watch::Sender<Health>,
}

impl Pulse {
    pub(crate) fn of(connections: usize, now: Instant) -> Self {
        Self {
            conditions: Mutex::new(vec![Condition::Down; connections]),
            health: watch::Sender::new(Health::Degraded { since: now }),
        }
    }

    pub(crate) fn set(&self, connection: usize, condition: Condition, now: Instant) {
        let mut conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions[connection] = condition;
        let all = |wanted: Condition| conditions.iter().all(|condition| *condition == wanted);
        self.health.send_if_modified(|health| {
            let next = match (*health, conditions.contains(&Condition::Loading)) {
                _ if all(Condition::Up) => Health::Up,
                (_, true) => Health::Loading,
                (Health::Degraded { since }, false) => Health::Degraded { since },
                _ => Health::Degraded { since: now },
            };
            if next != *health {
                match next {
                    Health::Up => tracing::info!("Redis is there"),
                    Health::Degraded { .. } => {
                        tracing::warn!("Redis is away; this process goes on without it")
                    }
                    Health::Loading => tracing::info!("Redis loads its data"),
                }
            }
            std::mem::replace(health, next) != next
        });
    }

    pub(crate) fn health(&self) -> Health {
        *self.health.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_up_when_every_connection_is_and_remembers_since_when_it_is_not() {
        let begun = Instant::now();
        let pulse = Pulse::of(2, begun);
        assert_eq!(pulse.health(), Health::Degraded { since: begun });
        pulse.set(0, Condition::Up, begun);
        assert_eq!(pulse.health(), Health::Degraded { since: begun });
        pulse.set(1, Condition::Up, begun);
        assert_eq!(pulse.health(), Health::Up);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let since = Instant::now();
        pulse.set(1, Condition::Down, since);
        pulse.set(0, Condition::Down, since + std::time::Duration::from_secs(1));
        assert_eq!(pulse.health(), Health::Degraded { since });
        pulse.set(0, Condition::Loading, since);
        assert_eq!(pulse.health(), Health::Loading);
    }
}
