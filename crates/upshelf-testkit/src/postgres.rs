use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::sync::oneshot;

mod own;
mod server;

pub use own::PostgresServer;
use server::{Outlives, Server};

/// A real PostgreSQL server for the tests of this process.
#[derive(Debug)]
pub struct Postgres {
    keeper: Sender<Request>,
}

/// A database of one test's own; it is dropped with this guard, with all connections to it.
#[derive(Debug)]
pub struct Database {
    /// Where it is: `postgres://…`.
    pub url: String,
    name: String,
    keeper: Sender<Request>,
}

enum Request {
    Create(oneshot::Sender<Result<(String, String), String>>),
    Drop(String),
}

impl Postgres {
    /// Gives the one server of this process; the first caller has it started.
    ///
    /// With `UPSHELF_TEST_POSTGRES_URL` set, it is the server there, whose user must be allowed to create databases.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            let (keeper, requests) = mpsc::channel();
            // A thread of its own: the runtime of whichever test came first ends before the others do.
            std::thread::spawn(move || keep(&requests));
            Self { keeper }
        })
    }

    /// Makes an empty database (a copy of `template1`) for one test.
    ///
    /// # Panics
    /// When there is no server; the message says how to install one.
    pub async fn database(&self) -> Database {
        let (reply, answer) = oneshot::channel();
        self.keeper.send(Request::Create(reply)).expect("the keeper lives as long as the process");
        match answer.await.expect("the keeper answers every request") {
            Ok((name, url)) => Database { url, name, keeper: self.keeper.clone() },
            Err(reason) => panic!("{reason}"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The process may be ending, and the server with it: then there is nothing left to drop.
        let _ = self.keeper.send(Request::Drop(std::mem::take(&mut self.name)));
    }
}

/// Starts the server and serves requests one after the other until the process ends.
fn keep(requests: &mpsc::Receiver<Request>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let mut opened = runtime.block_on(open());
    for request in requests {
        match (request, &mut opened) {
            (Request::Create(reply), Ok((_server, options, connection))) => {
                let _ = reply.send(runtime.block_on(create(options, connection)));
            }
            (Request::Create(reply), Err(reason)) => {
                let _ = reply.send(Err(reason.clone()));
            }
            (Request::Drop(name), Ok((_, _, connection))) => {
                let sql = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                let _ = runtime.block_on(sqlx::raw_sql(sql).execute(connection));
            }
            (Request::Drop(_), Err(_)) => {}
        }
    }
}

async fn open() -> Result<(Option<Server>, PgConnectOptions, PgConnection), String> {
    let (server, url) = match given_url() {
        Some(url) => (None, url),
        None => {
            let server = Server::start(Outlives::Nothing)?;
            let url = server.url();
            (Some(server), url)
        }
    };
    let options: PgConnectOptions =
        url.parse().map_err(|e| format!("not a PostgreSQL address: {url}: {e}"))?;
    let connection =
        PgConnection::connect_with(&options).await.map_err(|e| format!("no PostgreSQL at {url}: {e}"))?;
    Ok((server, options, connection))
}

async fn create(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
) -> Result<(String, String), String> {
    #[expect(clippy::disallowed_methods, reason = "several test processes may share one server")]
    let name = format!("upshelf_test_{}", uuid::Uuid::now_v7().simple());
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template1"));
    sqlx::raw_sql(sql).execute(connection).await.map_err(|e| format!("could not create a database: {e}"))?;
    let url = options.clone().database(&name).to_url_lossy().to_string();
    Ok((name, url))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one setting that scripts/test hands to every test process"
)]
fn given_url() -> Option<String> {
    std::env::var("UPSHELF_TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty())
}
