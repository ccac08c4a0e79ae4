//! A PostgreSQL server that waits for the disk, as one that keeps anybody's data does.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a start may take.
const START: Duration = Duration::from_secs(30);

/// A server of our own; it ends when this is dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// The ids of the user to be, where we are root: the server refuses to run as that.
    user: Option<(u32, u32)>,
    server: Option<Child>,
}

impl Postgres {
    /// Makes a server in an empty folder and starts it.
    pub(crate) fn start(folder: PathBuf) -> Result<Postgres> {
        let programs = programs().context("PostgreSQL is missing: apt-get install postgresql")?;
        let user = if rustix::process::geteuid().is_root() { Some(postgres_user()?) } else { None };
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700))?;
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut postgres = Postgres { programs, folder, port, user, server: None };
        let data = postgres.folder.join("data");
        let initdb =
            ["--username=upshelf", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata"];
        postgres.run("initdb", initdb.iter().map(OsStr::new).chain([data.as_os_str()]))?;
        // Sent when this program ends, however it does: it asks the server to end its sessions and close.
        let mut server = Command::new("setpriv");
        server.args(["--pdeathsig", "INT"]);
        if let Some((user, group)) = user {
            server.arg("--clear-groups").args([format!("--reuid={user}"), format!("--regid={group}")]);
        }
        server.arg(postgres.programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200"] {
            server.args(["-c", setting]);
        }
        server.arg("-c").arg(format!("unix_socket_directories={}", postgres.folder.display()));
        let log = File::create(postgres.folder.join("server.log"))?;
        server.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        postgres.server = Some(server.spawn().context("could not start PostgreSQL")?);
        let begun = Instant::now();
        let host = format!("--port={port}");
        while let Err(error) =
            postgres.run("pg_isready", ["--host=127.0.0.1", &host].map(OsStr::new).into_iter())
        {
            ensure!(begun.elapsed() < START, "{error:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(postgres)
    }

    /// Makes an empty database and gives its address.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let port = self.port.to_string();
        let args = ["--host=127.0.0.1", "--username=upshelf", "--port", &port, name];
        self.run("createdb", args.iter().map(OsStr::new))?;
        Ok(format!("postgres://upshelf@127.0.0.1:{port}/{name}"))
    }

    /// The id of its first process, whose children serve the connections.
    pub(crate) fn id(&self) -> Result<u32> {
        let text = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        Ok(text.lines().next().context("postmaster.pid is empty")?.parse()?)
    }

    fn run<'a>(&self, program: &str, args: impl Iterator<Item = &'a OsStr>) -> Result<()> {
        let program = self.programs.join(program);
        let mut command = match self.user {
            None => Command::new(&program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg("--clear-groups").args([format!("--reuid={user}"), format!("--regid={group}")]);
                command.arg(&program);
                command
            }
        };
        let errors = File::create(self.folder.join("errors.log"))?;
        command.args(args).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let status = command.status().with_context(|| format!("could not run {}", program.display()))?;
        if !status.success() {
            let errors = std::fs::read_to_string(self.folder.join("errors.log"))?;
            bail!("{} failed: {errors}", program.display());
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(server) = &mut self.server else { return };
        if let Some(id) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, Signal::INT);
        }
        let _ = server.wait();
    }
}

/// Debian keeps the server's programs out of PATH, a folder for each version.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.into_iter().rev().chain(std::env::split_paths(&path));
    all.into_iter().find(|folder: &PathBuf| Path::exists(&folder.join("postgres")))
}

fn postgres_user() -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).context("there is no user postgres")?;
    let fields: Vec<&str> = line.split(':').collect();
    ensure!(fields.len() > 3, "/etc/passwd is odd");
    Ok((fields[2].parse()?, fields[3].parse()?))
}
