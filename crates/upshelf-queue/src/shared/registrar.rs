use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Ended, attempt, misfit};
use crate::{Context, Error, Handler, Job, Outcome, Result};

/// The handlers of a queue, by the names of their jobs.
pub(super) type Kinds = HashMap<&'static str, Arc<dyn Kind>>;

/// Collects the handlers of one process.
#[derive(Default)]
pub(crate) struct Registrar {
    pub(super) queues: BTreeMap<&'static str, Kinds>,
}

impl Registrar {
    pub(crate) fn add<J: Job, H: Handler<J>>(&mut self, handler: H) -> Result<()> {
        if self.queues.values().any(|kinds| kinds.contains_key(J::NAME)) {
            return Err(Error::Settings(format!("there are two handlers for the job {}", J::NAME)));
        }
        let kind = Typed { handler, job: PhantomData };
        self.queues.entry(J::QUEUE).or_default().insert(J::NAME, Arc::new(kind));
        Ok(())
    }
}

/// A payload as it came from Redis.
pub(super) enum Payload<'p> {
    /// Read by BullMQ's client.
    Read(&'p Value),
    /// JSON, or what should be.
    Raw(Vec<u8>),
}

/// Makes attempts at one kind of job.
pub(super) trait Kind: Send + Sync {
    /// Makes one attempt at the job with this payload.
    fn attempt<'a>(
        &'a self,
        payload: Payload<'a>,
        context: &'a Context,
        stop: &'a CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>>;

    fn time_out(&self) -> Duration;
}

struct Typed<J, H> {
    handler: H,
    job: PhantomData<fn() -> J>,
}

impl<J: Job, H: Handler<J>> Kind for Typed<J, H> {
    fn attempt<'a>(
        &'a self,
        payload: Payload<'a>,
        context: &'a Context,
        stop: &'a CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            let read = match payload {
                Payload::Read(payload) => J::deserialize(payload),
                Payload::Raw(payload) => serde_json::from_slice(&payload),
            };
            match read {
                Ok(payload) => attempt(&self.handler, payload, context, stop).await,
                Err(error) => Ended::Itself(Ok(Outcome::Fail(misfit::<J>(&error)))),
            }
        })
    }

    fn time_out(&self) -> Duration {
        J::TIMEOUT
    }
}
