//! News of ends, from process to process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use upshelf_redis::{Push, Redis};
use uuid::Uuid;

use crate::local::Local;

/// How many messages may wait to be read; what overflows costs a flush.
const BUFFER: usize = 1024;

/// Writes a message: which slices of all sessions to forget. It names no session, because who knows one can end it.
pub(super) fn write(ended: &[Uuid]) -> String {
    let mut slices: Vec<u8> = ended.iter().map(|session_id| Local::slice(*session_id)).collect();
    slices.sort_unstable();
    slices.dedup();
    serde_json::to_string(&slices).expect("numbers are JSON")
}

/// Forgets what other processes say has ended; while nothing can be heard, everything.
/// Says on the way whether it hears.
pub(super) fn listen(redis: &Redis, channel: String, local: Weak<Local>) -> Arc<AtomicBool> {
    let hears = Arc::<AtomicBool>::default();
    let hearing = Arc::clone(&hears);
    let (mut subscriber, subscriptions) = redis.subscriber(BUFFER);
    redis.spawn(async move {
        // Away or not, it is wanted from now on; whether it is heard is told by `Up`.
        let _ = subscriptions.subscribe(&channel).await;
        while let Some(push) = subscriber.next().await {
            let Some(local) = local.upgrade() else { return };
            match push {
                // Between the two, messages may be missing.
                Push::Down | Push::Up => {
                    local.flush();
                    hearing.store(push == Push::Up, Ordering::Release);
                }
                Push::Message { payload, .. } => match serde_json::from_slice::<Vec<u8>>(&payload) {
                    Ok(slices) => slices.into_iter().for_each(|slice| local.forget_slice(slice)),
                    Err(_) => local.flush(),
                },
            }
        }
        // The handle is closed: nothing is heard any more, and what is remembered is soon too old.
    });
    hears
}
