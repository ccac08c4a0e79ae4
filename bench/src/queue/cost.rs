//! What jobs cost: a process that adds or works them, and the servers behind it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Of one job: microseconds of processor time of each who had a part in it; and jobs per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) client: f64,
    pub(crate) redis: f64,
    pub(crate) postgres: f64,
    pub(crate) per_second: f64,
}

/// Runs a process that prints `begun` and then its own cost of `jobs` jobs, and watches the servers meanwhile.
pub(crate) fn cost(command: &mut Command, jobs: usize, redis: u32, postgres: Option<u32>) -> Result<Cost> {
    let servers = || -> Result<[f64; 2]> {
        Ok([processor_micros(redis)?, postgres.map_or(Ok(0.0), processor_micros)?])
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not run {command:?}"))?;
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
    let begun = lines.next().transpose()?;
    let before = servers()?;
    let printed = lines.next().transpose()?;
    let after = servers()?;
    ensure!(child.wait()?.success() && begun.as_deref() == Some("begun"), "{command:?} failed");
    let printed = printed.context("the cost was expected")?;
    let (client, per_second) = printed.trim().split_once(' ').context("two numbers were expected")?;
    let of = |server: usize| (after[server] - before[server]) / jobs as f64;
    Ok(Cost { client: client.parse()?, redis: of(0), postgres: of(1), per_second: per_second.parse()? })
}

/// User and system time of another process, of its children, and of those that have ended.
fn processor_micros(id: u32) -> Result<f64> {
    let per_tick = 1e6 / rustix::param::clock_ticks_per_second() as f64;
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc")? {
        // Processes may end while they are being looked at.
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        // The name before the bracket may hold anything.
        let (Some((own, _)), Some((_, rest))) = (stat.split_once(' '), stat.rsplit_once(") ")) else {
            continue;
        };
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let is_itself = own.parse() == Ok(id);
        if is_itself {
            ticks += number(13) + number(14);
        }
        if is_itself || number(1) == u64::from(id) {
            ticks += number(11) + number(12);
        }
    }
    Ok(ticks as f64 * per_tick)
}
