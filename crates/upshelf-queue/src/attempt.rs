use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{BoxError, Context, Handler, Job, Outcome};

/// How long an attempt that was asked to end may still take before it is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// How an attempt came to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The handler returned.
    Itself(Result<Outcome, BoxError>),
    /// Its time was up.
    TimedOut,
    /// The process closes: another is to make it.
    HandedBack,
}

/// Makes one attempt, for no longer than [`Job::TIMEOUT`], and until `stop`.
pub(crate) async fn attempt<J: Job, H: Handler<J>>(
    handler: &H,
    payload: J,
    context: &Context,
    stop: &CancellationToken,
) -> Ended {
    let mut run = std::pin::pin!(handler.run(payload, context.clone()));
    let is_late = tokio::select! {
        // Work that waits for nothing needs no timer.
        biased;
        ended = &mut run => return Ended::Itself(ended),
        () = tokio::time::sleep(J::TIMEOUT) => true,
        () = stop.cancelled() => false,
    };
    context.cancellation.cancel();
    match tokio::time::timeout(GRACE, run).await {
        // Work that was done, or can never be, in the last moment counts.
        Ok(Ok(outcome @ (Outcome::Done | Outcome::Fail(_)))) => Ended::Itself(Ok(outcome)),
        _ if is_late => Ended::TimedOut,
        _ => Ended::HandedBack,
    }
}

/// Why a payload cannot be worked: one that does not fit is the job's failure to name, and nobody's to retry.
pub(crate) fn misfit<J: Job>(error: &serde_json::Error) -> String {
    format!("the payload does not fit the job {}: {error}", J::NAME)
}

/// Why an attempt failed that took too long.
pub(crate) fn timed_out(after: Duration) -> String {
    format!("timed out after {after:?}")
}
