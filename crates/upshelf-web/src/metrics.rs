//! Counts and times for Prometheus.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use upshelf_queue::Stats;

const BUCKETS: [f64; 12] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Whether anybody counts: names of labels are not made for nobody.
static COUNTS: AtomicBool = AtomicBool::new(false);

/// Everything that this process counts, as Prometheus reads it. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count, for the whole process; once.
    ///
    /// # Errors
    /// When something else counts already.
    pub fn install() -> Result<Metrics, BuildError> {
        let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
        metrics::describe_counter!("http_requests_total", "Requests by method, route and status.");
        metrics::describe_histogram!(
            "http_request_duration_seconds",
            metrics::Unit::Seconds,
            "How long requests took, by method and route."
        );
        metrics::describe_counter!("votes_total", "Votes cast and retracted.");
        metrics::describe_gauge!("queue_jobs", "Jobs by queue and state; NaN while that is not known.");
        metrics::describe_gauge!(
            "queue_oldest_waiting_seconds",
            metrics::Unit::Seconds,
            "For how long the oldest job that is due has been so."
        );
        metrics::describe_gauge!("queue_is_paused", "Whether a queue hands out no jobs.");
        metrics::describe_counter!("queue_attempts_total", "Attempts at jobs, by how they ended.");
        metrics::describe_histogram!(
            "queue_attempt_duration_seconds",
            metrics::Unit::Seconds,
            "How long attempts at jobs ran, by queue and kind of job."
        );
        metrics::describe_counter!(
            "cache_reads_total",
            "Reads through the cache, by where they were answered from."
        );
        metrics::describe_counter!(
            "cache_flushes_total",
            "Times that all cached values of this process were dropped."
        );
        metrics::describe_gauge!(
            "shared_part_up",
            "Whether a part that processes share through Redis is up."
        );
        metrics::describe_gauge!("upshelf_live_connections", "Live connections, by transport.");
        metrics::describe_counter!("upshelf_live_connections_total", "Live connections begun, by transport.");
        metrics::describe_counter!("upshelf_live_frames_out_total", "Writes to live connections.");
        metrics::describe_counter!("upshelf_live_messages_out_total", "Messages in them.");
        metrics::describe_counter!("upshelf_live_bytes_out_total", metrics::Unit::Bytes, "Bytes in them.");
        metrics::describe_counter!(
            "upshelf_live_closes_total",
            "Live connections that this side closed, by code."
        );
        COUNTS.store(true, Ordering::Relaxed);
        Ok(Metrics(handle))
    }

    /// Renders what another recorder counts: for tests that have one of their own.
    pub fn of(handle: PrometheusHandle) -> Metrics {
        Metrics(handle)
    }

    /// Writes everything down.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Makes room; to be called every few seconds.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Counts a request.
pub(crate) fn request(method: &Method, route: &str, status: StatusCode, took: Duration) {
    if !COUNTS.load(Ordering::Relaxed) {
        return;
    }
    let method = word(method);
    let (route, status) = (route.to_owned(), status.as_str().to_owned());
    metrics::counter!("http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("http_request_duration_seconds", "method" => method, "route" => route).record(took);
}

/// Counts a vote: `up`, `down` or `retracted`.
pub(crate) fn vote(side: &'static str) {
    metrics::counter!("votes_total", "side" => side).increment(1);
}

/// Notes the numbers of a queue; `None` where they are not known.
pub(crate) fn queue(queue: &'static str, stats: Option<&Stats>) {
    // A gauge that was set once stays: NaN says that its last value is no longer true.
    let number = |of: fn(&Stats) -> u64| stats.map_or(f64::NAN, |stats| of(stats) as f64);
    for (state, jobs) in [
        ("waiting", number(|stats| stats.waiting + stats.prioritized)),
        ("paused", number(|stats| stats.paused)),
        ("delayed", number(|stats| stats.delayed)),
        ("active", number(|stats| stats.active)),
        ("completed", number(|stats| stats.completed)),
        ("failed", number(|stats| stats.failed)),
    ] {
        metrics::gauge!("queue_jobs", "queue" => queue, "state" => state).set(jobs);
    }
    let oldest = stats.map_or(f64::NAN, |stats| stats.oldest_waiting.unwrap_or_default().as_secs_f64());
    metrics::gauge!("queue_oldest_waiting_seconds", "queue" => queue).set(oldest);
    metrics::gauge!("queue_is_paused", "queue" => queue).set(number(|stats| stats.is_paused.into()));
}

/// Notes where reads through the cache were answered from, as counted since the start.
pub(crate) fn cache_reads(from: &'static str, reads: u64) {
    metrics::counter!("cache_reads_total", "from" => from).absolute(reads);
}

/// Notes how often this process has dropped all that it had cached.
pub(crate) fn cache_flushes(times: u64) {
    metrics::counter!("cache_flushes_total").absolute(times);
}

/// Notes whether a part that processes share through Redis is as it should be.
pub(crate) fn shared_part(part: &'static str, is_up: bool) {
    metrics::gauge!("shared_part_up", "part" => part).set(f64::from(u8::from(is_up)));
}

/// The method as a label; made-up methods must not make labels without end.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
