use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::OnceLock;

use ::redis::cluster::ClusterClient;

use super::launch::{Kind, Launch, start_all};
use super::talk::{self, wait_for};
use super::{Keep, KeyFound, RedisServer, has_replica};
use crate::aside;

const SLOTS: usize = 16_384;
const PRIMARIES: usize = 3;

/// A real Redis Cluster: three primaries that share the slots evenly, and a replica for each if asked for.
///
/// A node that is silent for 1.5 s counts as failed. All slots must be covered, as is the default of Redis.
#[derive(Debug)]
pub struct RedisCluster {
    /// The primaries of the beginning come first.
    nodes: Vec<RedisServer>,
    client: ClusterClient,
}

impl RedisCluster {
    /// Gives the one cluster of this process, where each test keeps to its [`unique_prefix`](crate::unique_prefix);
    /// the first caller has it started, which takes some seconds.
    ///
    /// # Panics
    /// When there is no Redis; the message says how to install it.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<RedisCluster, String>> = OnceLock::new();
        let shared = aside(|| {
            SHARED.get_or_init(|| {
                let mut cluster = Self::begin(0)?;
                cluster.nodes.iter_mut().for_each(|node| node.is_shared = true);
                Ok(cluster)
            })
        });
        shared.await.as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a cluster of the test's own.
    ///
    /// # Panics
    /// When there is no Redis; the message says how to install it.
    pub async fn start() -> Self {
        aside(|| Self::begin(0)).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts one in which each primary has a replica that takes over when it fails.
    ///
    /// # Panics
    /// When there is no Redis; the message says how to install it.
    pub async fn start_with_replicas() -> Self {
        aside(|| Self::begin(1)).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts the nodes and introduces them to each other; blocks.
    fn begin(replicas: usize) -> Result<Self, String> {
        let launch = Launch::of(Kind::ClusterNode, &["--cluster-replica-validity-factor", "0"]);
        let nodes = start_all(&vec![launch; PRIMARIES * (1 + replicas)])?;
        let tell = |node: &RedisServer, words: &[&str]| {
            let reply = talk::ask(&node.client, words).map(|value| talk::text(&value));
            reply.map_err(|error| format!("{}: {}", words.join(" "), talk::complaint(&error)))
        };
        let ids = nodes.iter().map(|node| tell(node, &["CLUSTER", "MYID"])).collect::<Result<Vec<_>, _>>()?;
        for (at, node) in nodes.iter().enumerate() {
            // Nodes with the same epoch would first have to settle who is right.
            tell(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
            if at < PRIMARIES {
                let (from, to) = (SLOTS * at / PRIMARIES, SLOTS * (at + 1) / PRIMARIES - 1);
                tell(node, &["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
            }
            let port = node.address.port().to_string();
            let bus = tell(node, &["CONFIG", "GET", "cluster-port"])?;
            let bus = bus.lines().last().unwrap_or_default();
            for other in &nodes[..at] {
                tell(other, &["CLUSTER", "MEET", "127.0.0.1", &port, bus])?;
            }
        }
        let expected = [
            "cluster_state:ok".to_owned(),
            format!("cluster_slots_ok:{SLOTS}"),
            format!("cluster_known_nodes:{}", nodes.len()),
        ];
        wait_for("all nodes of the cluster to know each other", || {
            nodes.iter().all(|node| {
                let info = tell(node, &["CLUSTER", "INFO"]).unwrap_or_default();
                expected.iter().all(|line| info.lines().any(|l| l.trim_end() == line))
            })
        })?;
        for (at, node) in nodes.iter().enumerate().skip(PRIMARIES) {
            tell(node, &["CLUSTER", "REPLICATE", &ids[at % PRIMARIES]])?;
        }
        wait_for("all nodes of the cluster to know its replicas", || {
            nodes.iter().enumerate().all(|(at, node)| {
                let known = tell(node, &["CLUSTER", "NODES"]).unwrap_or_default();
                known.matches("slave").count() == nodes.len() - PRIMARIES
                    && (replicas == 0 || at >= PRIMARIES || has_replica(node))
            })
        })?;
        let urls: Vec<String> = nodes.iter().map(RedisServer::url).collect();
        let client = ClusterClient::builder(urls)
            .connection_timeout(talk::PATIENCE)
            .response_timeout(talk::PATIENCE)
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self { nodes, client })
    }

    /// Returns `redis+cluster://…` with the three primaries of the beginning.
    pub fn url(&self) -> String {
        let nodes = self.nodes.iter().take(PRIMARIES).map(|node| node.address.to_string());
        format!("redis+cluster://{}", nodes.collect::<Vec<_>>().join(","))
    }

    /// Returns where the nodes listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(RedisServer::address).collect()
    }

    /// Returns the nodes, those that began as primaries first: for what concerns one of them.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Sends any command to where its key is, and returns the reply as [`RedisServer::command`] does. One without a
    /// key goes where the client library sends it: FLUSHALL to all primaries, say.
    ///
    /// # Panics
    /// When the reply is an error or does not come; see [`try_command`](Self::try_command).
    pub async fn command(&self, words: &[&str]) -> String {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
    }

    /// Sends any command and returns the reply, or the error as the server words it.
    pub async fn try_command(&self, words: &[&str]) -> Result<String, String> {
        let (client, command) = (self.client.clone(), talk::command(words));
        aside(move || command.query(&mut client.get_connection()?))
            .await
            .map(|value| talk::text(&value))
            .map_err(|error| talk::complaint(&error))
    }

    /// Counts the errors that the nodes which answer have sent, by their first word: `CROSSSLOT`, `MOVED`.
    pub async fn errorstats(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for node in &self.nodes {
            for line in node.try_command(&["INFO", "errorstats"]).await.unwrap_or_default().lines() {
                let stat = line.trim_end().strip_prefix("errorstat_").and_then(|l| l.split_once(":count="));
                if let Some((name, count)) = stat {
                    *sums.entry(name.to_owned()).or_default() += count.parse::<u64>().unwrap_or_default();
                }
            }
        }
        sums
    }

    /// Lists the keys that begin with `prefix` on all primaries, in order.
    ///
    /// # Panics
    /// When a primary does not answer.
    pub async fn keys(&self, prefix: &str) -> Vec<KeyFound> {
        let mut found = Vec::new();
        for node in &self.nodes {
            if node.info("replication", "role").await.as_deref() == Some("master") {
                found.extend(node.keys(prefix).await);
            }
        }
        found.sort_unstable();
        found
    }

    /// Finds the primary that has the key's slot, as the nodes that answer see it; `None` while none has.
    pub async fn primary_of(&self, key: &str) -> Option<&RedisServer> {
        let slot: usize = self.ask_any(&["CLUSTER", "KEYSLOT", key]).await?.parse().ok()?;
        let nodes = self.ask_any(&["CLUSTER", "NODES"]).await?;
        let port = nodes.lines().find_map(|line| primary_with(line, slot))?;
        self.nodes.iter().find(|node| node.address.port() == port)
    }

    /// Asks the nodes in turn until one answers.
    async fn ask_any(&self, words: &[&str]) -> Option<String> {
        for node in &self.nodes {
            if let Ok(reply) = node.try_command(words).await {
                return Some(reply);
            }
        }
        None
    }

    /// Stops all nodes from answering, while their connections stay open (SIGSTOP).
    pub fn pause(&self) {
        self.nodes.iter().for_each(RedisServer::pause);
    }

    /// Lets all nodes go on. What they do first is to ask whether the others are still there.
    pub fn resume(&self) {
        self.nodes.iter().for_each(RedisServer::resume);
    }

    /// Kills all nodes as a power cut would, and waits until they are gone.
    pub fn kill9(&self) {
        self.nodes.iter().for_each(RedisServer::kill9);
    }

    /// Restarts all nodes, which stay members of the cluster, and waits until it is whole.
    pub async fn restart(&self, keep: Keep) {
        for node in &self.nodes {
            node.restart(keep).await;
        }
        self.ready().await;
    }

    /// Waits until all nodes that run say that every slot is served.
    ///
    /// # Panics
    /// When that does not come to be.
    pub async fn ready(&self) {
        crate::wait_until("every slot of the cluster to be served", talk::PATIENCE * 2, async || {
            for node in &self.nodes {
                let info = node.try_command(&["CLUSTER", "INFO"]).await;
                if info.is_ok_and(|info| !info.contains("cluster_state:ok")) {
                    return false;
                }
            }
            true
        })
        .await;
    }
}

/// The port in a line of CLUSTER NODES, if that is of a living primary with the slot.
fn primary_with(line: &str, slot: usize) -> Option<u16> {
    let mut words = line.split(' ').skip(1);
    let (address, flags) = (words.next()?, words.next()?);
    let mut flags = flags.split(',');
    if !flags.clone().any(|flag| flag == "master") || flags.any(|flag| flag == "fail") {
        return None;
    }
    let has = words.skip(5).any(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        matches!((from.parse::<usize>(), to.parse::<usize>()), (Ok(from), Ok(to)) if from <= slot && slot <= to)
    });
    address.split('@').next()?.rsplit(':').next()?.parse().ok().filter(|_| has)
}
