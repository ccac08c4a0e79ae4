//! A site: the program serving on a free port, with a folder and a database of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{PgPool, SqlitePool};
use tempfile::TempDir;
use upshelf_testkit::{Database, Keep, Postgres, Program, RedisServer, temp_dir};

use crate::client::Client;
use crate::run::{Run, UPSHELF};

/// The code that makes the first admin.
pub(crate) const SETUP_CODE: &str = "a code for the first admin";
/// A password like those of careful people.
pub(crate) const PASSWORD: &str = "seven shelves of unread books";

/// How long a start may take; unoptimised programs on a busy machine are slow.
const START: Duration = Duration::from_secs(60);
/// How long a clean close may take.
const CLOSE: Duration = Duration::from_secs(30);

/// Where a site keeps its data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A site that is being served.
pub(crate) struct Site {
    program: Program,
    at: SocketAddr,
    settings: Vec<(String, String)>,
    folder: TempDir,
    /// What works the queues where the program itself does not.
    _worker: Option<Program>,
    redis: Option<RedisServer>,
    /// Whether the story takes Redis away for a while.
    is_cut: bool,
    /// Dropped last, after the program that uses it.
    _database: Option<Database>,
}

impl Site {
    /// Begins to serve an empty site.
    pub(crate) async fn start(engine: Engine, settings: &[(&str, &str)]) -> Site {
        let folder = temp_dir();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::shared().await.database().await),
        };
        let data = folder.path().join("data").to_string_lossy().into_owned();
        let always = [
            ("UPSHELF_ADDR", "127.0.0.1:0"),
            ("UPSHELF_DATA_DIR", &data),
            ("UPSHELF_LIMITS", "off"),
            ("UPSHELF_LOG", "warn"),
            ("UPSHELF_SETUP_CODE", SETUP_CODE),
        ];
        let url = database.iter().map(|database| ("UPSHELF_DATABASE_URL", database.url.as_str()));
        let settings: Vec<(String, String)> = always
            .into_iter()
            .chain(url)
            .chain(settings.iter().copied())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let (program, at) = serve(&settings).await;
        Site { program, at, settings, folder, _worker: None, redis: None, is_cut: false, _database: database }
    }

    /// Begins to serve an empty site by two processes over Redis: one answers requests, one works the queues.
    pub(crate) async fn together(settings: &[(&str, &str)]) -> Site {
        let redis = RedisServer::start().await;
        let url = redis.url();
        let more = [("UPSHELF_REDIS_URL", url.as_str()), ("UPSHELF_ROLE", "web")];
        let settings: Vec<_> = settings.iter().copied().chain(more).collect();
        let site = Site::start(Engine::Postgres, &settings).await;
        let mut worker = Program::start(UPSHELF, ["worker"], &borrow(&site.settings));
        worker.wait_for("working the queues", START).await;
        Site { _worker: Some(worker), redis: Some(redis), ..site }
    }

    /// The same, but Redis is away for a while.
    pub(crate) async fn cut(settings: &[(&str, &str)]) -> Site {
        Site { is_cut: true, ..Site::together(settings).await }
    }

    /// Takes Redis away, where the story says so.
    pub(crate) fn cut_redis(&self) {
        if let Some(redis) = self.redis.as_ref().filter(|_| self.is_cut) {
            redis.kill9();
        }
    }

    /// Brings it back, with nothing in it.
    pub(crate) async fn restore_redis(&self) {
        if let Some(redis) = self.redis.as_ref().filter(|_| self.is_cut) {
            redis.restart(Keep::Nothing).await;
        }
    }

    /// Stops Redis from answering, where there is one; its connections stay open.
    pub(crate) fn freeze_redis(&self) {
        self.redis.as_ref().expect("the site is over Redis").pause();
    }

    /// Lets it go on.
    pub(crate) fn thaw_redis(&self) {
        self.redis.as_ref().expect("the site is over Redis").resume();
    }

    /// Serves the same library by another process, with these settings too.
    pub(crate) async fn beside(&self, settings: &[(&str, &str)]) -> Beside {
        let more = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (program, at) = serve(&self.settings.iter().cloned().chain(more).collect::<Vec<_>>()).await;
        Beside { at, program }
    }

    /// Somebody who is not signed in.
    pub(crate) fn anybody(&self) -> Client {
        Client::new(self.at, None)
    }

    /// Where the site is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Where the program listens.
    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// The most memory that the program has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.id()));
        let status = status.expect("the program runs, on Linux");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak.and_then(|peak| peak.parse::<u64>().ok()).expect("Linux says so, in KiB") * 1024
    }

    /// Somebody who holds a token.
    pub(crate) fn holder_of(&self, token: &str) -> Client {
        Client::new(self.at, Some(token))
    }

    /// The site's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder that goes with the site.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the program printed.
    pub(crate) fn printed(&self) -> String {
        self.program.lines().join("\n")
    }

    /// Runs another command on the same library.
    pub(crate) fn run(&self, args: &[&str], input: &str) -> Run {
        Run::of(&borrow(&self.settings), args, input)
    }

    /// Ends the program as a power cut would.
    pub(crate) fn kill9(&mut self) {
        self.program.kill9();
    }

    /// Serves the same library again.
    pub(crate) async fn restart(&mut self) {
        (self.program, self.at) = serve(&self.settings).await;
    }

    /// Asks the program to end, which it must do in time and in order.
    pub(crate) async fn close(&mut self) {
        let status = self.program.terminate(CLOSE).await;
        assert_eq!(status.code(), Some(0), "it ended with {status} and printed:\n{}", self.printed());
    }

    /// The database itself, behind the program's back.
    pub(crate) async fn tables(&self) -> Tables {
        let url = self.settings.iter().find(|(name, _)| name == "UPSHELF_DATABASE_URL");
        match url {
            Some((_, url)) => Tables::Postgres(PgPool::connect(url).await.expect("the server is there")),
            None => {
                let url = format!("sqlite:{}", self.data().join("upshelf.db").display());
                Tables::Sqlite(SqlitePool::connect(&url).await.expect("the file is there"))
            }
        }
    }
}

async fn serve(settings: &[(String, String)]) -> (Program, SocketAddr) {
    let mut program = Program::start(UPSHELF, ["serve"], &borrow(settings));
    let line = program.wait_for("listening on http://", START).await;
    let at = line.rsplit('/').next().and_then(|at| at.parse().ok());
    (program, at.unwrap_or_else(|| panic!("no address in {line:?}")))
}

fn borrow(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Another process of a site; it ends with this value.
pub(crate) struct Beside {
    at: SocketAddr,
    program: Program,
}

impl Beside {
    /// Where the program listens.
    pub(crate) fn at(&self) -> SocketAddr {
        self.at
    }

    /// Where the process listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Somebody who is not signed in.
    pub(crate) fn anybody(&self) -> Client {
        Client::new(self.at, None)
    }

    /// What the program printed.
    pub(crate) fn printed(&self) -> String {
        self.program.lines().join("\n")
    }
}

/// Read without a line of the program's own code.
pub(crate) enum Tables {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs the same query on whichever engine it is.
macro_rules! on {
    ($tables:expr, $db:ident => $run:expr) => {
        match $tables {
            $crate::site::Tables::Sqlite($db) => $run.await.expect("the query runs on SQLite"),
            $crate::site::Tables::Postgres($db) => $run.await.expect("the query runs on PostgreSQL"),
        }
    };
}
pub(crate) use on;
