use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use upshelf_throttle::Throttle;
use upshelf_web::{Health, Metrics, Parts, Pulse, SharedParts, Web, metrics_router, router};
use upshelf_worker::{Flusher, Workers};

use crate::config::{Config, Role};
use crate::lock::Lock;
use crate::site::Site;

/// How many connections may wait to be taken: after a restart everybody comes back at once.
const WAITING: u32 = 4_096;
/// How long requests under way may take to end when the program closes.
const REQUESTS: Duration = Duration::from_secs(10);

/// How long jobs may take to end after that; what has not ended is handed back.
const JOBS: Duration = Duration::from_secs(15);

/// How long all of that may take; then the program ends as it is.
const CLOSING: Duration = Duration::from_secs(19);

pub(super) async fn run(config: &Config) -> Result<()> {
    let mut signals = Signals::new()?;
    let listener = match config.role {
        Role::Worker => None,
        Role::All | Role::Web => {
            Some(listen(config.addr).with_context(|| format!("could not listen on {}", config.addr))?)
        }
    };
    let metrics = match config.metrics_addr {
        Some(addr) => {
            let listener = TcpListener::bind(addr)
                .await
                .with_context(|| format!("could not listen on {addr} for metrics"))?;
            Some((listener, Metrics::install().context("could not install the metrics")?))
        }
        None => None,
    };
    let site = Site::open(config).await?;
    let _lock = match (config.role, config.database_file()) {
        (Role::All | Role::Worker, Some(database)) => Some(Lock::take(&database)?),
        _ => None,
    };
    let jobs = Jobs::start(config, &site).await?;
    let web = open_web(config, &site);
    site.tracker.spawn(crate::site::keep_up_with_others(site.catalog.clone(), site.closing.clone()));
    if let Some((listener, metrics)) = metrics {
        eprintln!("metrics on http://{}/metrics", listener.local_addr()?);
        let (router, settings) = (metrics_router(metrics, web.clone()), web.settings().clone());
        let closing = site.closing.clone();
        site.tracker.spawn(async move { upshelf_web::serve(listener, router, &settings, closing).await });
    }

    banner(config, &site);
    let served = match listener {
        Some(listener) => {
            eprintln!("listening on http://{}", listener.local_addr()?);
            let stop = site.closing.clone();
            let settings = web.settings().clone();
            // A task, not part of this one: this one's thread would have to be woken for every connection.
            let mut served = site
                .tracker
                .spawn(async move { upshelf_web::serve(listener, router(web), &settings, stop).await });
            tokio::select! {
                served = &mut served => served?.context("could not go on listening"),
                () = signals.next() => {
                    closing(&mut signals, &site.closing, async { served.await?.context("could not close") }).await
                }
            }
        }
        None => {
            eprintln!("working the queues");
            drop(web);
            signals.next().await;
            site.closing.cancel();
            Ok(())
        }
    };
    let ended = async {
        jobs.close().await?;
        site.close().await;
        served
    };
    tokio::select! {
        ended = ended => ended,
        () = signals.next() => at_once(),
        () = tokio::time::sleep(CLOSING) => at_once(),
    }
}

/// Listens for those who are to be served.
fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A process may take the place of one that has just ended.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(WAITING)
}

/// Opens the door for requests; what all processes share goes through Redis, where there is one.
fn open_web(config: &Config, site: &Site) -> Web {
    let settings = config.web();
    let throttle = Arc::new(match &site.redis {
        Some(redis) => Throttle::shared(config.throttle(), redis, settings.limits.policies()),
        None => Throttle::local(config.throttle()),
    });
    let cache = site.services.cache.clone();
    site.tracker.spawn(crate::site::keep_count(
        Arc::clone(&throttle),
        cache,
        config.processes,
        site.closing.clone(),
    ));
    let shared = site.redis.clone().map(|redis| {
        let (throttle, services, sessions) =
            (Arc::clone(&throttle), site.services.clone(), Arc::clone(&site.sessions));
        let health = |is_well: bool| if is_well { Health::Up } else { Health::Degraded };
        let pulse: Pulse = Arc::new(move || SharedParts {
            redis: health(redis.health().is_up()),
            cache: health(!services.cache.is_degraded()),
            bus: health(!services.bus.is_degraded()),
            tally: health(!services.tally.is_degraded()),
            sessions: health(!sessions.is_degraded()),
            limits: health(redis.health().is_up() && !throttle.is_alone()),
        });
        pulse
    });
    let parts = Parts {
        catalog: site.catalog.clone(),
        sessions: site.sessions.clone(),
        throttle,
        tracker: site.tracker.clone(),
        closing: site.closing.clone(),
        shared,
    };
    Web::new(parts, settings)
}

/// What goes on in the background.
enum Jobs {
    Worked(Workers),
    HandedOver(Flusher),
}

impl Jobs {
    async fn start(config: &Config, site: &Site) -> Result<Jobs> {
        if config.role == Role::Web {
            return Ok(Jobs::HandedOver(Flusher::start(site.catalog.clone())));
        }
        let mail = upshelf_worker::Mail {
            smtp_url: config.smtp_url.clone(),
            folder: config.mail_dir.clone(),
            from: config.mail_from.clone(),
        };
        let links =
            config.links.settings(config.public_url.as_ref()).context("could not check links from here")?;
        let workers = upshelf_worker::start(site.catalog.clone(), site.sessions.clone(), mail, links).await;
        Ok(Jobs::Worked(workers.context("could not start the workers")?))
    }

    async fn close(self) -> Result<()> {
        match self {
            Jobs::Worked(workers) => workers.close(JOBS).await.context("could not close the queues"),
            Jobs::HandedOver(flusher) => {
                flusher.close().await;
                Ok(())
            }
        }
    }
}

/// Waits for what must end, unless a second signal says not to.
async fn closing(
    signals: &mut Signals,
    token: &CancellationToken,
    end: impl Future<Output = Result<()>>,
) -> Result<()> {
    tracing::info!("closing");
    token.cancel();
    tokio::select! {
        ended = end => ended,
        () = signals.next() => at_once(),
        () = tokio::time::sleep(REQUESTS) => {
            tracing::warn!("some requests did not end in time");
            Ok(())
        }
    }
}

fn at_once() -> ! {
    eprintln!("upshelf: closed at once");
    std::process::exit(130)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).context("could not listen for signals")?,
            interrupt: signal(SignalKind::interrupt()).context("could not listen for signals")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn banner(config: &Config, site: &Site) {
    let database = match config.database_file() {
        Some(file) => format!("SQLite, {}", file.display()),
        None => "PostgreSQL".to_owned(),
    };
    eprintln!("Upshelf {} - a library that a community curates by voting", env!("CARGO_PKG_VERSION"));
    eprintln!("  database     {database}");
    if let Some(code) = &site.set_up_code {
        eprintln!("  set-up code  {code}");
    }
}
