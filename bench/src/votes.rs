//! Votes per second: commits shared and not.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Engine, Lab};
use crate::library::{json_list, set_up, voters, votes_counted};
use crate::load::{CONNECTIONS, Connection, Script, round};
use crate::server::Server;
use crate::table::{head, median, millis, rate, row};
use crate::{Options, fixed};

/// One of those that are compared.
struct Candidate {
    name: &'static str,
    server: Server,
    scripts: Vec<Script>,
    per_second: Vec<f64>,
    p99: Vec<f64>,
}

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    for engine in &options.engines {
        let title = format!(
            "Votes, {}, {CONNECTIONS} connections; the disk keeps a page in {}",
            engine.name(),
            millis(lab.sync_time()?)
        );
        let shared = site(lab, *engine, "shared", "1000").await?;
        let single = site(lab, *engine, "single", "1").await?;
        let reply = length_of_reply(shared.server.at, &shared.scripts[0]).await?;
        let fixed = fixed::start(reply)?;
        let scripts = (0..CONNECTIONS).map(|_| Script::of(shared.scripts[0].requests().to_vec())).collect();
        let fixed =
            Candidate { name: "fixed body", server: fixed, scripts, per_second: Vec::new(), p99: Vec::new() };
        let mut all = [shared, single, fixed];
        for turn in 0..=options.rounds {
            for candidate in &mut all {
                let round = round(candidate.server.at, &mut candidate.scripts, options.time).await?;
                // The first turn warms up.
                if turn > 0 {
                    candidate.per_second.push(round.per_second);
                    candidate.p99.push(round.p99.as_secs_f64());
                }
            }
        }
        for candidate in &all[..2] {
            let answered: u64 = candidate.scripts.iter().map(|script| script.answered).sum();
            let counted = votes_counted(candidate.server.at).await?;
            // One vote more was cast to see how long a reply is.
            ensure!((answered..=answered + 1).contains(&counted), "{answered} votes, {counted} counted");
        }
        let [_, single, fixed] = all.each_ref().map(|candidate| median(&candidate.per_second));
        head(&title, &["what", "per second", "of a fixed body", "of one by one", "p99"]);
        for candidate in &all {
            let per_second = median(&candidate.per_second);
            row(&[
                candidate.name.to_owned(),
                rate(per_second),
                format!("{:.2}", per_second / fixed),
                format!("{:.1}", per_second / single),
                millis(std::time::Duration::from_secs_f64(median(&candidate.p99))),
            ]);
        }
        println!("\nresident after that: {:.0} MiB", all[0].server.memory()?);
    }
    Ok(())
}

async fn site(lab: &Lab, engine: Engine, name: &'static str, votes_per_commit: &str) -> Result<Candidate> {
    let mut settings = lab.site(engine, &format!("votes_{name}"))?;
    for (setting, value) in [
        ("UPSHELF_VOTES_PER_COMMIT", votes_per_commit),
        // Nothing is decided meanwhile.
        ("UPSHELF_APPROVAL_SCORE", "1000000"),
    ] {
        settings.push((setting.to_owned(), value.to_owned()));
    }
    lab.import(&settings, "json", &json_list(3_000))?;
    let server = lab.serve(&settings)?;
    set_up(server.at).await?;
    let scripts = voters(server.at).await?;
    let name = if votes_per_commit == "1" { "votes, one by one" } else { "votes, shared commits" };
    Ok(Candidate { name, server, scripts, per_second: Vec::new(), p99: Vec::new() })
}

async fn length_of_reply(at: SocketAddr, script: &Script) -> Result<usize> {
    let first = script.requests().first().context("a voter votes")?;
    let mut connection = Connection::open(at).await?;
    let (status, body) = connection.exchange(first).await?;
    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
    Ok(body.len())
}
