use std::sync::Arc;

use super::talk;
use super::{Own, RedisServer};
use crate::aside;

/// What a server still has after [`RedisServer::restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All it held, as after an orderly restart. After [`RedisServer::kill9`]: what its settings put on disk.
    Data,
    /// Nothing, as after the loss of its disk.
    Nothing,
}

/// What can befall a server of one's own; on a shared one, where other tests would suffer, these panic.
impl RedisServer {
    /// Stops it from answering, while its connections stay open (SIGSTOP).
    pub fn pause(&self) {
        self.own().keeper().signal("STOP");
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.own().keeper().signal("CONT");
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub fn kill9(&self) {
        self.own().keeper().end();
    }

    /// Ends it if it still runs, and starts it again at the same address and with the same settings.
    pub async fn restart(&self, keep: Keep) {
        let (own, client) = (Arc::clone(self.own()), self.client.clone());
        aside(move || {
            if own.keeper().is_alive() {
                own.keeper().signal("CONT");
                if keep == Keep::Data {
                    // It answers by closing the connection when all is written, or else with an error.
                    if let Err(error) = talk::ask(&client, &["SHUTDOWN", "SAVE", "NOW"]) {
                        assert!(error.code().is_none(), "could not save: {}", talk::complaint(&error));
                    }
                }
                own.keeper().end();
            }
            if keep == Keep::Nothing {
                let data = own.folder.join("data");
                std::fs::remove_dir_all(&data)
                    .and_then(|()| std::fs::create_dir(&data))
                    .expect("the server's own folder can be emptied");
            }
            own.run(&client).unwrap_or_else(|reason| panic!("{reason}"));
        })
        .await;
    }

    fn own(&self) -> &Arc<Own> {
        assert!(!self.is_shared, "other tests use this server too: take RedisServer::start() for an outage");
        self.own.as_ref().expect("a server that is not shared is our own")
    }
}
