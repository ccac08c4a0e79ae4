//! How long a vote through one process is on its way to those who watch at another one.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::crowd::about_one;
use crate::lab::{Engine, Lab};
use crate::library::{json_list, set_up, voters};
use crate::load::Connection;
use crate::redis;
use crate::table::{head, millis, percentile, row};
use crate::watchers::Watchers;

/// How many votes are waited for, one by one.
const VOTES: usize = 300;
/// The pause between them: longer than votes are gathered for.
const PAUSE: Duration = Duration::from_millis(120);
/// How many are cast on one suggestion in a second, by so many members.
const RATE: usize = 200;
const MEMBERS: usize = 8;
/// How long a vote may take when it is quiet, and the last one of many.
const QUIET: Duration = Duration::from_millis(30);
const LAST: Duration = Duration::from_millis(500);
/// How many messages one who watches may be sent in a second.
const MESSAGES: usize = 12;

pub(crate) async fn measure(lab: &Lab, watchers: usize, time: Duration) -> Result<()> {
    let redis = redis::Server::start()?;
    let mut settings = lab.site(Engine::Postgres, "latency")?;
    for (name, value) in [
        ("UPSHELF_REDIS_URL", redis.url().as_str()),
        ("UPSHELF_CONNECTIONS_PER_IP", "20000"),
        ("UPSHELF_APPROVAL_SCORE", "1000000"),
    ] {
        settings.push((name.to_owned(), value.to_owned()));
    }
    lab.import(&settings, "json", &json_list(60))?;
    let here = lab.serve(&settings)?;
    settings.push(("UPSHELF_ROLE".to_owned(), "web".to_owned()));
    let there = lab.serve(&settings)?;
    set_up(here.at).await?;
    let scripts = voters(here.at).await?;

    let one = Watchers::gather(there.at, 1, None).await?;
    let mut connection = Connection::open(here.at).await?;
    for vote in 0..VOTES {
        sleep(PAUSE).await;
        let script = scripts[vote % scripts.len()].requests();
        let request = &script[vote / scripts.len() % script.len()];
        one.told(async {
            let (status, _) = connection.exchange(request).await?;
            ensure!(status == 200, "{status}");
            Ok(())
        })
        .await?;
    }
    let mut delays = one.delays();
    ensure!(delays.len() == VOTES, "{} messages of {VOTES} votes", delays.len());
    drop(one);
    let (p50, p99) = (percentile(&mut delays, 0.5), percentile(&mut delays, 0.99));
    head("A vote through one process, seen at another", &["votes", "p50", "p99"]);
    row(&[VOTES.to_string(), millis(p50), millis(p99)]);

    let (suggestion, requests) = about_one(&scripts[..MEMBERS])?;
    let all = Watchers::gather(there.at, watchers, Some(&suggestion)).await?;
    let mut voting = JoinSet::new();
    for requests in requests {
        let mut connection = Connection::open(here.at).await?;
        let count = usize::try_from(time.as_millis())? * RATE / MEMBERS / 1_000;
        voting.spawn(async move {
            let mut every = interval(Duration::from_secs(1) / u32::try_from(RATE / MEMBERS)?);
            every.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut version = 0;
            // They have voted in favour before, so the votes against come first.
            for request in requests.iter().rev().cycle().take(count) {
                every.tick().await;
                let vote = connection.json(request).await?;
                version = vote["version"].as_u64().unwrap_or(0).max(version);
            }
            anyhow::Ok(version)
        });
    }
    let begun = std::time::Instant::now();
    let mut last = 0;
    while let Some(version) = voting.join_next().await {
        last = version??.max(last);
    }
    let took = begun.elapsed();
    let late = all.have(last).await?;
    head(
        &format!("{RATE} votes a second on one suggestion, {watchers} watch at another process"),
        &["votes a second", "everybody has the last", "messages a second, at most"],
    );
    let votes = time.as_secs_f64() * RATE as f64;
    row(&[format!("{:.0}", votes / took.as_secs_f64()), millis(late), all.busiest().to_string()]);
    ensure!(p99 <= QUIET, "a vote takes longer than {QUIET:?}");
    ensure!(late <= LAST, "the last vote takes longer than {LAST:?}");
    ensure!(all.busiest() <= MESSAGES, "more than {MESSAGES} messages within a second");
    Ok(())
}
