//! Counting attempts at jobs and how long they ran.

use tokio::time::Instant;
use upshelf_queue::{BoxError, Job, Outcome};

/// An attempt under way. It is counted when it ends, however it does: one that panics, or is dropped because its time is up,
/// ends with its value.
struct Attempt {
    queue: &'static str,
    job: &'static str,
    began: Instant,
    outcome: &'static str,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Attempt { queue, job, began, outcome } = *self;
        metrics::counter!("queue_attempts_total", "queue" => queue, "job" => job, "outcome" => outcome)
            .increment(1);
        metrics::histogram!("queue_attempt_duration_seconds", "queue" => queue, "job" => job)
            .record(began.elapsed());
    }
}

/// Makes an attempt at a job of kind `J`, and counts it: as `done`, `failed` (another may succeed), `refused` (none can),
/// `snoozed` or `broken_off`.
pub(crate) async fn measured<J: Job>(
    attempt: impl Future<Output = Result<Outcome, BoxError>>,
) -> Result<Outcome, BoxError> {
    let mut measure = Attempt { queue: J::QUEUE, job: J::NAME, began: Instant::now(), outcome: "broken_off" };
    let ended = attempt.await;
    measure.outcome = match &ended {
        Ok(Outcome::Done) => "done",
        Ok(Outcome::Fail(_)) => "refused",
        Ok(Outcome::Snooze(_)) => "snoozed",
        Err(_) => "failed",
    };
    ended
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metrics::with_local_recorder;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use upshelf_catalog::CleanUp;

    use super::*;

    /// What is counted while `attempt` is made and dropped after a moment.
    fn counted(attempt: impl Future<Output = Result<Outcome, BoxError>>) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        with_local_recorder(&recorder, || {
            let _ =
                runtime.block_on(async { tokio::time::timeout(Duration::from_millis(10), attempt).await });
        });
        handle.render()
    }

    #[test]
    fn every_attempt_is_counted_by_how_it_ended() {
        let count = |outcome: &str| {
            format!(r#"queue_attempts_total{{queue="cleanup",job="clean-up",outcome="{outcome}"}} 1"#)
        };
        let done = counted(measured::<CleanUp>(async { Ok(Outcome::Done) }));
        assert!(done.contains(&count("done")), "{done}");
        assert!(
            done.contains(r#"queue_attempt_duration_seconds_count{queue="cleanup",job="clean-up"} 1"#),
            "{done}"
        );
        let failed = counted(measured::<CleanUp>(async { Err("away".into()) }));
        assert!(failed.contains(&count("failed")), "{failed}");
        let refused = counted(measured::<CleanUp>(async { Ok(Outcome::Fail("no".to_owned())) }));
        assert!(refused.contains(&count("refused")), "{refused}");
        let dropped = counted(measured::<CleanUp>(std::future::pending()));
        assert!(dropped.contains(&count("broken_off")), "{dropped}");
    }
}
