//! How long a search takes in a library of 12,000 resources.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::{JoinSet, LocalSet};

use crate::Options;
use crate::lab::Lab;
use crate::library::{Chance, json_list, set_up};
use crate::load::{Connection, request};
use crate::server::Server;
use crate::table::{head, millis, percentile, row};

const SEARCHES: usize = 2_000;

pub(crate) async fn measure(lab: &Lab, options: &Options) -> Result<()> {
    head("Search in 12,000 resources", &["database", "asking at once", "p50", "p99", "slowest"]);
    for engine in &options.engines {
        let settings = lab.site(*engine, "search")?;
        lab.import(&settings, "json", &json_list(12_000))?;
        let server = lab.serve(&settings)?;
        set_up(server.at).await?;
        let searches = searches();
        let mut connection = Connection::open(server.at).await?;
        for search in &searches[..200] {
            connection.exchange(search).await?;
        }
        for at_once in [1, 4] {
            let mut times = ask(&server, &searches, at_once).await?;
            row(&[
                engine.name().to_owned(),
                at_once.to_string(),
                millis(percentile(&mut times, 0.5)),
                millis(percentile(&mut times, 0.99)),
                millis(percentile(&mut times, 1.0)),
            ]);
        }
    }
    Ok(())
}

/// Asks everything once, over so many connections, and says how long each took.
async fn ask(server: &Server, searches: &[Vec<u8>], at_once: usize) -> Result<Vec<Duration>> {
    let mut lanes = JoinSet::new();
    let local = LocalSet::new();
    for lane in 0..at_once {
        let mine: Vec<Vec<u8>> = searches.iter().skip(lane).step_by(at_once).cloned().collect();
        let mut connection = Connection::open(server.at).await?;
        lanes.spawn_local_on(
            async move {
                let mut times = Vec::with_capacity(mine.len());
                for search in &mine {
                    let begun = Instant::now();
                    let (status, body) = connection.exchange(search).await?;
                    times.push(begun.elapsed());
                    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
                }
                Ok(times)
            },
            &local,
        );
    }
    let lanes = local.run_until(lanes.join_all()).await;
    let times: Vec<Vec<Duration>> = lanes.into_iter().collect::<Result<_>>()?;
    Ok(times.concat())
}

/// What people type: beginnings of words, whole words, two words, words with an error, words that are nowhere.
fn searches() -> Vec<Vec<u8>> {
    let mut chance = Chance::new();
    (0..SEARCHES)
        .map(|number| {
            let word = chance.word();
            let letters: Vec<char> = word.chars().collect();
            let text = match number % 5 {
                0 => letters[..letters.len().min(3)].iter().collect(),
                1 => word,
                2 => format!("{word} {}", chance.word()),
                3 => {
                    let mut wrong = letters;
                    let at = 1 + usize::try_from(chance.below(wrong.len() as u64 - 2)).expect("it is short");
                    wrong.swap(at, at + 1);
                    wrong.into_iter().collect()
                }
                _ => format!("{word}x{number}"),
            };
            let text = text.replace(' ', "%20").replace('é', "%C3%A9");
            request("GET", &format!("/api/v1/search?q={text}"), None, None)
        })
        .collect()
}
