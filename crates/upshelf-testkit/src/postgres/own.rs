use std::sync::{Arc, Mutex, PoisonError};

use super::server::{Outlives, Server};
use crate::aside;

/// A real PostgreSQL server of one test's own, for what befalls a server. It keeps what it has acknowledged, and goes away with
/// this value or with the process.
#[derive(Debug)]
pub struct PostgresServer {
    url: String,
    server: Arc<Mutex<Server>>,
}

impl PostgresServer {
    /// Starts a server.
    ///
    /// # Panics
    /// When there is none; the message says how to install one.
    pub async fn start() -> Self {
        let server =
            aside(|| Server::start(Outlives::Program)).await.unwrap_or_else(|reason| panic!("{reason}"));
        Self { url: server.url(), server: Arc::new(Mutex::new(server)) }
    }

    /// Returns the address of its one database, which is empty at the beginning.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it (SIGKILL): all connections are lost, and new ones refused, a moment later.
    pub async fn kill9(&self) {
        self.with(Server::end).await;
    }

    /// Starts it again on the same folder, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn restart(&self) {
        self.with(Server::run).await;
    }

    async fn with(&self, act: fn(&mut Server)) {
        let server = Arc::clone(&self.server);
        // A test that failed while it held the server has not broken it.
        aside(move || act(&mut server.lock().unwrap_or_else(PoisonError::into_inner))).await;
    }
}
