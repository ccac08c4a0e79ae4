use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

use super::keeper::Keeper;
use super::talk;
use super::{Own, RedisServer};
use crate::places::{quiet_port, temp_dir};

/// What kind of server is started, and with which of redis.conf's settings.
#[derive(Clone, Default)]
pub(super) struct Launch {
    pub(super) kind: Kind,
    /// As on the command line: `--name value…`, again and again. A later one wins.
    pub(super) args: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Plain,
    Tls,
    ClusterNode,
    Sentinel,
}

const HOW_TO_INSTALL: &str = "these tests need a Redis server (7.0 or newer): `apt-get install redis-server`";

/// Starts servers that belong together, side by side; blocks.
pub(super) fn start_all(launches: &[Launch]) -> Result<Vec<RedisServer>, String> {
    std::thread::scope(|scope| {
        let started: Vec<_> = launches.iter().map(|launch| scope.spawn(|| launch.start())).collect();
        started.into_iter().map(|server| server.join().expect("a start reports, it does not panic")).collect()
    })
}

impl Launch {
    pub(super) fn of(kind: Kind, args: &[&str]) -> Self {
        Self { kind, args: args.iter().map(|&arg| arg.to_owned()).collect() }
    }

    /// Starts it and waits until it answers; blocks.
    pub(super) fn start(&self) -> Result<RedisServer, String> {
        // Between finding a port and using it another program can take it.
        let mut reason = String::new();
        for _ in 0..3 {
            match self.start_on(quiet_port()) {
                Ok(server) => return Ok(server),
                Err(error) => reason = error,
            }
            if reason.starts_with(HOW_TO_INSTALL) {
                break;
            }
        }
        Err(reason)
    }

    fn start_on(&self, port: u16) -> Result<RedisServer, String> {
        // The keeper removes the folder, because it outlives us when we are killed.
        let folder = temp_dir().keep();
        let config = folder.join("redis.conf");
        let path = config.to_str().ok_or("the temporary folder's name is no UTF-8")?.to_owned();
        let mut command = vec!["redis-server", &path];
        if self.kind == Kind::Sentinel {
            command.push("--sentinel");
        }
        let keeper = Keeper::of(folder.clone(), &command)?;
        if self.kind == Kind::Tls {
            crate::certify(&folder)?;
        }
        std::fs::create_dir(folder.join("data"))
            .and_then(|()| std::fs::write(&config, self.config(&folder, port)))
            .map_err(|e| format!("could not write {path}: {e}"))?;

        let password = self.value_of("--requirepass");
        let mut sign_in = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(password) = password {
            sign_in = sign_in.set_password(password);
        }
        // The socket stays open to us whatever becomes of the port: TLS, a proxy, too many clients.
        let client = ConnectionAddr::Unix(folder.join("redis.sock"))
            .into_connection_info()
            .map(|info| info.set_redis_settings(sign_in))
            .and_then(Client::open)
            .map_err(|e| e.to_string())?;
        let scheme = if self.kind == Kind::Tls { "rediss" } else { "redis" };
        let sign_in = password.map(|password| format!(":{password}@")).unwrap_or_default();
        // A certificate is for a name, and that is checked.
        let host = if self.kind == Kind::Tls { "localhost" } else { "127.0.0.1" };
        let own = Own { keeper: Mutex::new(keeper), folder };
        own.run(&client)?;
        Ok(RedisServer {
            url: format!("{scheme}://{sign_in}{host}:{port}"),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            client,
            own: Some(Arc::new(own)),
            is_shared: false,
        })
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        self.args.iter().rposition(|arg| arg == name).and_then(|at| Some(self.args.get(at + 1)?.as_str()))
    }

    fn config(&self, folder: &Path, port: u16) -> String {
        let inside = |name: &str| folder.join(name).display().to_string();
        let (plain, tls) = if self.kind == Kind::Tls { (0, port) } else { (port, 0) };
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {plain}"),
            format!("dir {}", inside("data")),
            format!("unixsocket {}", inside("redis.sock")),
        ];
        if self.kind != Kind::Sentinel {
            // Nothing has to survive a power cut, so nothing waits for the disk.
            lines.push("save \"\"".to_owned());
            lines.push("enable-debug-command local".to_owned());
            lines.push("repl-diskless-sync-delay 0".to_owned());
            // A replica that has acknowledged a ping is known to be sent what is written from then on.
            lines.push("repl-ping-replica-period 1".to_owned());
        }
        if self.kind == Kind::Tls {
            lines.push(format!("tls-port {tls}"));
            lines.push(format!("tls-cert-file {}", inside("server.pem")));
            lines.push(format!("tls-key-file {}", inside("server.key")));
            lines.push(format!("tls-ca-cert-file {}", inside("authority.pem")));
            lines.push("tls-auth-clients no".to_owned());
        }
        if self.kind == Kind::ClusterNode {
            lines.push("cluster-enabled yes".to_owned());
            lines.push(format!("cluster-port {}", quiet_port()));
            // Outside the data: a node that lost all its keys is still that node.
            lines.push(format!("cluster-config-file {}", inside("nodes.conf")));
            lines.push("cluster-node-timeout 1500".to_owned());
        }
        let mut config = lines.join("\n");
        for arg in &self.args {
            match arg.strip_prefix("--") {
                Some(name) => write!(config, "\n{name}"),
                None => write!(config, " \"{}\"", arg.replace('\\', "\\\\").replace('"', "\\\"")),
            }
            .expect("writing to a String cannot fail");
        }
        config.push('\n');
        config
    }
}

impl Own {
    /// Starts the server and waits until it answers with what it has on disk.
    pub(super) fn run(&self, client: &Client) -> Result<(), String> {
        let mut keeper = self.keeper();
        let id = keeper.run().to_string();
        for _ in 0..1000 {
            let info = talk::connect(client, Duration::from_secs(1))
                .and_then(|mut to| redis::cmd("INFO").query::<String>(&mut to));
            // The server that answers could be another's, and it answers INFO while it still loads its data.
            let has = |line: &str| info.as_ref().is_ok_and(|info| info.lines().any(|l| l == line));
            if has(&format!("process_id:{id}")) && !has("loading:1") {
                return Ok(());
            }
            if !keeper.is_alive() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = keeper.output();
        if output.contains("redis-server") && output.contains("not found") {
            return Err(HOW_TO_INSTALL.to_owned());
        }
        Err(format!("Redis did not start:\n{output}"))
    }
}
