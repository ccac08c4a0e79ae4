//! A Redis to measure on, and what a process of its own costs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::server::tied;

/// Microseconds of processor time for one call, and calls per second.
pub(crate) type Cost = (f64, f64);

/// User and system time of this process, its threads included.
pub(crate) fn processor_micros() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Runs a process that prints its cost.
pub(crate) fn cost(command: &mut Command) -> Result<Cost> {
    let done =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("could not run {command:?}"))?;
    ensure!(done.status.success(), "{command:?} failed");
    let printed = String::from_utf8(done.stdout)?;
    let (micros, per_second) = printed.trim().split_once(' ').context("two numbers were expected")?;
    Ok((micros.parse()?, per_second.parse()?))
}

/// The folder with the packages of Node that tests use too.
fn packages() -> Result<PathBuf> {
    let done = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/node/install")).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(Path::new(String::from_utf8(done.stdout)?.trim_end()).join("node_modules"))
}

/// A Redis of our own; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Result<Server> {
        let folder = tempfile::Builder::new().prefix("upshelf-bench-").tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = tied("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("Redis is missing: apt-get install redis-server")?;
        let server = Server { child, port, folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(10), "Redis did not begin to listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Writes a script of Node to where it finds its packages.
    pub(crate) fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let (script, modules) = (self.folder.path().join(name), self.folder.path().join("node_modules"));
        std::fs::write(&script, text)?;
        if !modules.exists() {
            std::os::unix::fs::symlink(packages()?, modules)?;
        }
        Ok(script)
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it forget everything.
    pub(crate) fn empty(&self) -> Result<()> {
        let (mut stream, mut reply) = (TcpStream::connect(("127.0.0.1", self.port))?, [0; 5]);
        stream.write_all(b"FLUSHALL\r\n")?;
        stream.read_exact(&mut reply)?;
        ensure!(reply == *b"+OK\r\n", "Redis did not forget");
        Ok(())
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(("127.0.0.1", self.port))?)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
