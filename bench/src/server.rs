//! A program that serves, as a process of its own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Settings of the environment.
pub(crate) type Settings = Vec<(String, String)>;

/// A serving program; it is asked to end when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) at: SocketAddr,
    /// From the start of the process until it said that it listens.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts a program and waits for its line `listening on http://HOST:PORT`.
    pub(crate) fn start(program: &Path, args: &[&str], settings: &Settings) -> Result<Server> {
        let mut command = tied(program);
        command.args(args).env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn().with_context(|| format!("could not start {}", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().expect("standard error is piped")).lines();
        let mut printed = String::new();
        while let Some(line) = lines.next().transpose()? {
            if let Some(at) = line.strip_prefix("listening on http://") {
                let (at, ready_after) = (at.parse()?, begun.elapsed());
                // Read on: a program that cannot write its log would wait.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Server { child, at, ready_after });
            }
            printed += &(line + "\n");
        }
        let _ = child.wait();
        bail!("{} did not begin to listen:\n{printed}", program.display())
    }

    /// The memory that it holds now, in MiB.
    pub(crate) fn memory(&self) -> Result<f64> {
        memory(self.child.id())
    }
}

/// A command whose program is asked to end when this one ends, however it does: nothing is left behind.
pub(crate) fn tied(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]).arg(program);
    command
}

/// The memory that a process holds now, in MiB.
pub(crate) fn memory(id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1_024.0)
}

impl Server {
    /// The processor time that it has taken so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let behind_name = stat.rsplit_once(')').context("no name")?.1;
        let ticks: Vec<f64> =
            behind_name.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}
