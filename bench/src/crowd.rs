//! What clients that do not read and clients that talk nonsense cost those who do neither: how long a vote is on its way to
//! everybody, in turns with and without them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::lab::{Engine, Lab};
use crate::library::{json_list, set_up, voters};
use crate::load::{Connection, Script, request};
use crate::table::{head, median, millis, percentile, row};
use crate::watchers::{Watchers, connect, hello};

/// So many do not read, and so many talk nonsense.
const BAD: usize = 200;
/// How often votes are cast: slower than they are batched, so that each is told at once.
const PACE: Duration = Duration::from_millis(120);
/// How often one that does not read asks for what it does not read: the standings of all suggestions.
const ASKED: usize = 160;
/// How much the good ones may notice.
const NOTICED: f64 = 1.2;

pub(crate) async fn measure(lab: &Lab, watchers: usize, rounds: usize, time: Duration) -> Result<()> {
    let mut settings = lab.site(Engine::Sqlite, "crowd")?;
    for (name, value) in [("UPSHELF_CONNECTIONS_PER_IP", "20000"), ("UPSHELF_APPROVAL_SCORE", "1000000")] {
        settings.push((name.to_owned(), value.to_owned()));
    }
    lab.import(&settings, "json", &json_list(60))?;
    let server = lab.serve(&settings)?;
    set_up(server.at).await?;
    let scripts = voters(server.at).await?;
    let mut votes = Votes { scripts, next: 0, connection: Connection::open(server.at).await? };
    let crowd = Watchers::gather(server.at, watchers, None).await?;
    votes.cast_for(time / 2, &crowd).await?;
    crowd.delays();
    let (mut alone, mut beside, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        votes.cast_for(time, &crowd).await?;
        alone.push(percentile(&mut crowd.delays(), 0.99).as_secs_f64());
        let (stop, stopped) = oneshot::channel();
        let at = server.at;
        // What they cost themselves must not be taken for what the good ones notice.
        let bad = std::thread::spawn(move || bad_ones(at, time, stopped));
        votes.cast_for(time, &crowd).await?;
        beside.push(percentile(&mut crowd.delays(), 0.99).as_secs_f64());
        memory.push(server.memory()?);
        drop(stop);
        bad.join().map_err(|_| anyhow!("the bad ones broke"))??;
    }
    let growth = median(&beside) / median(&alone);
    head(
        &format!(
            "A vote every {PACE:?} to {watchers} watchers, without and with {BAD} that do not read and {BAD} that talk nonsense"
        ),
        &["p99 without", "p99 with", "ratio", "memory"],
    );
    let shown = |times: &[f64]| millis(Duration::from_secs_f64(median(times)));
    row(&[
        shown(&alone),
        shown(&beside),
        format!("{growth:.2}"),
        memory.iter().map(|mib| format!("{mib:.0}")).collect::<Vec<_>>().join(", ") + " MiB",
    ]);
    ensure!(growth <= NOTICED, "the good ones notice: p99 without {alone:?}, with {beside:?}");
    Ok(())
}

/// Votes of everybody in turn.
struct Votes {
    scripts: Vec<Script>,
    next: usize,
    connection: Connection,
}

impl Votes {
    async fn cast_for(&mut self, time: Duration, crowd: &Watchers) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let begun = Instant::now();
            let script = self.scripts[self.next % self.scripts.len()].requests();
            let vote = &script[self.next / self.scripts.len() % script.len()];
            self.next += 1;
            let cast = async {
                let (status, _) = self.connection.exchange(vote).await?;
                ensure!(status == 200, "{status}");
                Ok(())
            };
            crowd.told(cast).await?;
            sleep(PACE.saturating_sub(begun.elapsed())).await;
        }
        Ok(())
    }
}

/// All bad ones, until they are stopped.
fn bad_ones(at: SocketAddr, time: Duration, stopped: oneshot::Receiver<()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut bad = JoinSet::new();
        for number in 0..BAD {
            bad.spawn(deaf(at, number, time));
            bad.spawn(nonsense(at, number));
        }
        tokio::select! {
            _ = stopped => Ok(()),
            Some(ended) = bad.join_next() => ended?,
        }
    })
}

/// Comes in, asks and asks all the time, and reads nothing.
async fn deaf(at: SocketAddr, number: usize, time: Duration) -> Result<()> {
    let pace = time.div_f64(ASKED as f64 * 1.2);
    sleep(pace.mul_f64(number as f64 / BAD as f64)).await;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4 * 1024)?;
    let mut socket = connect(socket.connect(at).await?).await?;
    socket.send(Message::text(hello(None))).await?;
    for id in 3..3 + ASKED {
        let again = format!(
            "{{\"id\":{id},\"unsubscribe\":{{\"channel\":\"suggestions:votes\"}}}}\n\
             {{\"id\":{id},\"subscribe\":{{\"channel\":\"suggestions:votes\"}}}}"
        );
        // It may have been given up.
        if socket.send(Message::text(again)).await.is_err() {
            break;
        }
        sleep(pace).await;
    }
    std::future::pending().await
}

/// Says something senseless, is closed, and comes back a second later.
async fn nonsense(at: SocketAddr, number: usize) -> Result<()> {
    let said = ["{", "[]", "{\"id\":1e9}", "{\"id\":1,\"subscribe\":{\"channel\":\"suggestions:votes\"}}"];
    sleep(Duration::from_secs(1).mul_f64(number as f64 / BAD as f64)).await;
    for turn in number.. {
        let mut socket = connect(TcpStream::connect(at).await?).await?;
        socket.send(Message::text(said[turn % said.len()])).await?;
        let end = socket.next().await.context("it is told why")??;
        let Message::Close(Some(frame)) = end else { anyhow::bail!("it is closed, and not told {end}") };
        ensure!(u16::from(frame.code) == 3501, "{frame:?}");
        drop(socket);
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// The requests of some members about one suggestion, and its id.
pub(crate) fn about_one(scripts: &[Script]) -> Result<(String, Vec<Vec<Vec<u8>>>)> {
    let first = String::from_utf8(scripts[0].requests()[0].clone())?;
    let path = first.split(' ').nth(1).context("a request has a path")?.to_owned();
    let id = path.split('/').nth(4).context("it names a suggestion")?.to_owned();
    let line = request("PUT", &path, None, None);
    let line = line.split(|byte| *byte == b'\r').next().context("a request has a line")?;
    let of = |script: &Script| -> Vec<Vec<u8>> {
        script.requests().iter().filter(|request| request.starts_with(line)).cloned().collect()
    };
    Ok((id, scripts.iter().map(of).collect()))
}
