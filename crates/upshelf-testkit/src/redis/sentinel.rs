use std::net::SocketAddr;

use super::launch::{Kind, Launch, start_all};
use super::talk::{self, wait_for};
use super::{RedisServer, has_replica, text_of};
use crate::aside;

/// What the sentinels call the primary.
const NAME: &str = "upshelf";

/// A real primary with a replica, and three sentinels, two of which must agree that the primary is down.
///
/// That is so after 1 s of silence, and a failover takes some seconds more.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The primary of the beginning comes first.
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// Starts them and waits until all know each other.
    ///
    /// # Panics
    /// When there is no Redis; the message says how to install it.
    pub async fn start() -> Self {
        aside(Self::begin).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn begin() -> Result<Self, String> {
        let primary = Launch::default().start()?;
        let port = primary.address.port().to_string();
        let replica = Launch::of(Kind::Plain, &["--replicaof", "127.0.0.1", &port]).start()?;
        // The sentinels look for replicas when they start, and then only every ten seconds.
        wait_for("the replica to follow", || has_replica(&primary))?;
        let watch = ["--sentinel", "monitor", NAME, "127.0.0.1", &port, "2"];
        let soon = ["--sentinel", "down-after-milliseconds", NAME, "1000"];
        let limit = ["--sentinel", "failover-timeout", NAME, "3000"];
        let launch = Launch::of(Kind::Sentinel, &[&watch[..], &soon, &limit].concat());
        let sentinels = start_all(&vec![launch; 3])?;
        wait_for("the sentinels to know each other", || {
            sentinels.iter().all(|sentinel| {
                let known = text_of(sentinel, &["SENTINEL", "MASTER", NAME]);
                known.contains("num-slaves\n1") && known.contains("num-other-sentinels\n2")
            })
        })?;
        Ok(Self { servers: vec![primary, replica], sentinels })
    }

    /// Returns `redis+sentinel://…/upshelf`.
    pub fn url(&self) -> String {
        let sentinels: Vec<String> = self.sentinels.iter().map(|s| s.address.to_string()).collect();
        format!("redis+sentinel://{}/{NAME}", sentinels.join(","))
    }

    /// Returns the two servers, the primary of the beginning first.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Returns the three sentinels.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// Asks the sentinels where the primary is; the first to answer is believed.
    ///
    /// # Panics
    /// When none answers.
    pub async fn primary_address(&self) -> SocketAddr {
        for sentinel in &self.sentinels {
            let reply = sentinel.try_command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await;
            if let Ok(address) = reply.unwrap_or_default().replacen('\n', ":", 1).parse() {
                return address;
            }
        }
        panic!("no sentinel answers");
    }

    /// Returns the server that is the primary now.
    pub async fn primary(&self) -> &RedisServer {
        let address = self.primary_address().await;
        self.servers.iter().find(|s| s.address == address).expect("a primary is one of the two servers")
    }

    /// Sends any command to the primary; see [`RedisServer::command`].
    ///
    /// # Panics
    /// When the reply is an error or does not come.
    pub async fn command(&self, words: &[&str]) -> String {
        self.primary().await.command(words).await
    }

    /// Kills the primary as a power cut would; the sentinels promote the replica within some seconds.
    pub async fn kill_primary(&self) {
        self.primary().await.kill9();
    }

    /// Has the sentinels promote the replica, and waits until they all say so and the old primary follows it: it
    /// answers writes with READONLY then, on connections that stay open.
    ///
    /// # Panics
    /// When that does not come to be.
    pub async fn fail_over(&self) {
        let old = self.primary().await;
        let patience = talk::PATIENCE * 2;
        crate::wait_until("the sentinels to begin", patience, async || {
            self.sentinels[0].try_command(&["SENTINEL", "FAILOVER", NAME]).await.is_ok()
        })
        .await;
        crate::wait_until("the sentinels to name the new primary", patience, async || {
            for sentinel in &self.sentinels {
                let named = sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await;
                if named.replacen('\n', ":", 1) == old.address.to_string() {
                    return false;
                }
            }
            true
        })
        .await;
        // The sentinels do the same, but only ten seconds later.
        let new = self.primary_address().await;
        old.command(&["REPLICAOF", &new.ip().to_string(), &new.port().to_string()]).await;
        crate::wait_until("the old primary to follow the new one", patience, async || {
            old.info("replication", "master_link_status").await.as_deref() == Some("up")
        })
        .await;
    }
}
