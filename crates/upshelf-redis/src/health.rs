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
