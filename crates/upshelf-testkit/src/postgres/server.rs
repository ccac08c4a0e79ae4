use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::places::{free_port, temp_dir};

/// A server of our own in a temporary folder, which ends with this process even when that is killed.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    guard: Child,
    /// Taken when the server shall go; its closing is what the shell waits for.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What an acknowledged commit outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlives {
    /// Nothing: the server ends with its tests.
    Nothing,
    /// The server's own end.
    Program,
}

impl Server {
    pub(super) fn start(commits: Outlives) -> Result<Self, String> {
        let programs = programs().ok_or(
            "these tests need a PostgreSQL server (15 or newer): `apt-get install postgresql-15`, \
             or set UPSHELF_TEST_POSTGRES_URL to one that is running",
        )?;
        // Between finding a port and using it another program can take it.
        let mut reason = String::new();
        for _ in 0..3 {
            match Self::start_on(&programs, free_port(), commits) {
                Ok(server) => return Ok(server),
                Err(error) => reason = error,
            }
        }
        Err(format!("PostgreSQL did not start:\n{reason}"))
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://upshelf@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server as a power cut of the program alone would: what the system was given stays.
    pub(super) fn end(&mut self) {
        assert_eq!(self.order("end"), "yes", "the server is not running");
    }

    /// Starts it again on its folder.
    pub(super) fn run(&mut self) {
        assert_eq!(self.order("run"), "yes", "PostgreSQL did not start again");
    }

    fn order(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("taken at the end only");
        let mut answer = String::new();
        writeln!(orders, "{order}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .expect("the shell lives until we let it go");
        answer.trim_end().to_owned()
    }

    fn start_on(programs: &Path, port: u16, commits: Outlives) -> Result<Self, String> {
        // The script removes the folder, because it outlives us when we are killed.
        let folder = temp_dir().keep();
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(include_str!("../postgres.sh"))
            .arg("postgres.sh")
            .arg(programs)
            .arg(&folder)
            .arg(port.to_string())
            .arg(if commits == Outlives::Program { "program" } else { "nothing" });
        if rustix::process::geteuid().is_root() {
            let postgres = give_away(&folder)?;
            command.args(["setpriv", "--clear-groups"]);
            command.args([format!("--reuid={}", postgres.0), format!("--regid={}", postgres.1)]);
        }
        // Its own process group, so that an interrupt at the terminal leaves it the time to clean up.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = command.spawn().map_err(|e| format!("could not run sh: {e}"))?;

        let mut line = String::new();
        let mut answers = BufReader::new(guard.stdout.take().expect("stdout is piped"));
        answers.read_line(&mut line).map_err(|e| e.to_string())?;
        if line.trim() == "ready" {
            let orders = guard.stdin.take();
            return Ok(Self { port, guard, orders, answers });
        }
        let mut reason = String::new();
        guard
            .stderr
            .take()
            .expect("stderr is piped")
            .read_to_string(&mut reason)
            .map_err(|e| e.to_string())?;
        let _ = guard.wait();
        Err(reason)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.guard.wait();
    }
}

/// Hands the folder to the user `postgres`, since the server refuses to run as root; returns that user's ids.
fn give_away(folder: &Path) -> Result<(u32, u32), String> {
    let users =
        std::fs::read_to_string("/etc/passwd").map_err(|e| format!("could not read /etc/passwd: {e}"))?;
    let ids = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let (user, group) = ids.ok_or("as root, PostgreSQL needs a user `postgres` to run as")?;
    chown(folder, Some(user), Some(group))
        .map_err(|e| format!("could not chown {}: {e}", folder.display()))?;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).map_err(|e| e.to_string())?;
    Ok((user, group))
}

/// Finds the folder with `initdb` and `pg_ctl`: Debian keeps them out of PATH, newest version first.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin"))))
        .collect();
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = versions.into_iter().map(|(_, folder)| folder).chain(std::env::split_paths(&path));
    folders.into_iter().find(|folder| folder.join("pg_ctl").exists() && folder.join("initdb").exists())
}
