use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::places::{free_port, temp_dir};

/// A server of our own in a temporary folder, which ends with this process even when that is killed.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    /// Holds the pipe whose closing ends the server.
    _guard: Child,
}

impl Server {
    pub(super) fn start() -> Result<Self, String> {
        let programs = programs().ok_or(
            "these tests need a PostgreSQL server (15 or newer): `apt-get install postgresql-15`, \
             or set UPSHELF_TEST_POSTGRES_URL to one that is running",
        )?;
        // Between finding a port and using it another program can take it.
        let mut reason = String::new();
        for _ in 0..3 {
            match Self::start_on(&programs, free_port()) {
                Ok(server) => return Ok(server),
                Err(error) => reason = error,
            }
        }
        Err(format!("PostgreSQL did not start:\n{reason}"))
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://upshelf@127.0.0.1:{}/postgres", self.port)
    }

    fn start_on(programs: &Path, port: u16) -> Result<Self, String> {
        // The script removes the folder, because it outlives us when we are killed.
        let folder = temp_dir().keep();
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(include_str!("../postgres.sh"))
            .arg("postgres.sh")
            .arg(programs)
            .arg(&folder)
            .arg(port.to_string());
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
        let stdout = guard.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).map_err(|e| e.to_string())?;
        if line.trim() == "ready" {
            return Ok(Self { port, _guard: guard });
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
