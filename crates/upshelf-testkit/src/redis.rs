use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use ::redis::{Client, ConnectionAddr};

mod cluster;
mod keeper;
mod keys;
mod launch;
mod monitor;
mod outage;
mod sentinel;
mod talk;

pub use cluster::RedisCluster;
pub use keys::KeyFound;
pub use monitor::Monitor;
pub use outage::Keep;
pub use sentinel::RedisSentinel;

use crate::{Proxy, aside};
use keeper::Keeper;
use launch::{Kind, Launch};

/// A real Redis server: with the default settings of Redis but no snapshots, and DEBUG allowed.
///
/// It goes away with this value or with the process, however that ends. Commands are sent on connections of their own
/// from a blocking thread, so that a server can be used from many runtimes, and while tokio's clock is paused.
#[derive(Debug)]
pub struct RedisServer {
    url: String,
    address: SocketAddr,
    client: Client,
    own: Option<Arc<Own>>,
    is_shared: bool,
}

#[derive(Debug)]
struct Own {
    keeper: Mutex<Keeper>,
    folder: PathBuf,
}

impl RedisServer {
    /// Gives the one server of this process, where each test keeps to its [`unique_prefix`]; the first caller has it
    /// started. With `UPSHELF_TEST_REDIS_URL` set, it is the server there.
    ///
    /// # Panics
    /// When there is no server; the message says how to install one.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<RedisServer, String>> = OnceLock::new();
        let shared = aside(|| {
            SHARED.get_or_init(|| {
                let server = match given_url() {
                    Some(url) => Self::given(&url),
                    None => Launch::default().start(),
                };
                server.map(|server| Self { is_shared: true, ..server })
            })
        });
        shared.await.as_ref().unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts a server of the test's own.
    ///
    /// # Panics
    /// When there is no server; the message says how to install one.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one with settings of redis.conf, written as on its command line: `&["--appendonly", "yes"]`. With
    /// `--requirepass` the password stands in [`url`](Self::url) too.
    ///
    /// # Panics
    /// When there is no server, or it refuses the settings.
    pub async fn start_with(args: &[&str]) -> Self {
        Self::launch(Launch::of(Kind::Plain, args)).await
    }

    /// Starts one that speaks TLS only, as `localhost`, with a certificate of an [`authority`](Self::authority) of its
    /// own (made by the command `openssl`).
    ///
    /// # Panics
    /// When there is no server, it was built without TLS, or there is no `openssl`.
    pub async fn start_tls(args: &[&str]) -> Self {
        Self::launch(Launch::of(Kind::Tls, args)).await
    }

    async fn launch(launch: Launch) -> Self {
        aside(move || launch.start()).await.unwrap_or_else(|reason| panic!("{reason}"))
    }

    fn given(url: &str) -> Result<Self, String> {
        let client = Client::open(url).map_err(|e| format!("not a Redis address: {url}: {e}"))?;
        let ConnectionAddr::Tcp(host, port) = client.get_connection_info().addr().clone() else {
            return Err(format!("UPSHELF_TEST_REDIS_URL must be redis://HOST:PORT: {url}"));
        };
        talk::ask(&client, &["PING"]).map_err(|e| format!("no Redis at {url}: {e}"))?;
        let address = (host.as_str(), port).to_socket_addrs().ok().and_then(|mut all| all.next());
        let address = address.ok_or_else(|| format!("no address for {host}"))?;
        Ok(Self { url: url.to_owned(), address, client, own: None, is_shared: true })
    }

    /// Returns `redis://…` (`rediss://…` with TLS), with the password if there is one.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the file name of its socket; none for a server named by `UPSHELF_TEST_REDIS_URL`.
    pub fn socket(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.folder.join("redis.sock"))
    }

    /// Returns the file name of the authority (PEM) that a TLS server's certificate is checked with.
    pub fn authority(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.folder.join("authority.pem")).filter(|file| file.exists())
    }

    /// Puts a breakable proxy before it, whose URL has the password too.
    pub async fn proxy(&self) -> Proxy {
        Proxy::before(self.address, &self.url).await
    }

    /// Sends any command and returns the reply as text, one line per element: `OK`, `12`, `(nil)`.
    ///
    /// # Panics
    /// When the reply is an error or does not come; see [`try_command`](Self::try_command).
    pub async fn command(&self, words: &[&str]) -> String {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
    }

    /// Sends any command and returns the reply, or the error as the server words it: `WRONGTYPE Operation …`.
    pub async fn try_command(&self, words: &[&str]) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let client = self.client.clone();
        aside(move || talk::ask(&client, &words))
            .await
            .map(|value| talk::text(&value))
            .map_err(|error| talk::complaint(&error))
    }

    /// Returns one field of INFO: `info("clients", "connected_clients")`; `None` when the section has no such field.
    pub async fn info(&self, section: &str, field: &str) -> Option<String> {
        let info = self.command(&["INFO", section]).await;
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| *name == field).map(|(_, value)| value.trim_end().to_owned())
    }

    /// Lists the keys that begin with `prefix` (all, if it is empty), in order, with type and time to live.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn keys(&self, prefix: &str) -> Vec<KeyFound> {
        let (client, prefix) = (self.client.clone(), prefix.to_owned());
        aside(move || keys::list(&client, &prefix)).await.expect("a server that runs lists its keys")
    }
}

/// Asks a server while others are still being started; blocks. An error is a text like any other.
fn text_of(server: &RedisServer, words: &[&str]) -> String {
    talk::ask(&server.client, words).map_or_else(|error| talk::complaint(&error), |value| talk::text(&value))
}

/// Says whether a primary has a replica that receives every write from now on; blocks. One that is only online may not
/// have been sent any yet.
fn has_replica(server: &RedisServer) -> bool {
    let info = text_of(server, &["INFO", "replication"]);
    info.lines().any(|line| {
        line.starts_with("slave0:") && line.contains("state=online") && !line.contains("offset=0,")
    })
}

impl Own {
    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // A test that failed while it held the keeper has not broken it.
        self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Makes a key prefix of one test's own, such as `t5f0c81d2n7:`, also among processes that share a server.
pub fn unique_prefix() -> String {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let process = PROCESS.get_or_init(|| {
        use std::hash::{BuildHasher, Hasher};
        // Keyed by the system's randomness, which is all that is wanted here.
        let random = std::hash::RandomState::new().build_hasher().finish();
        u32::try_from(random >> 32).expect("half of 64 bits")
    });
    format!("t{process:08x}n{}:", COUNT.fetch_add(1, Ordering::Relaxed))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one setting that scripts/test hands to every test process"
)]
fn given_url() -> Option<String> {
    std::env::var("UPSHELF_TEST_REDIS_URL").ok().filter(|url| !url.is_empty())
}
