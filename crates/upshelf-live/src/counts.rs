//! What is counted.

use crate::codes::Close;

/// Counts a connection for as long as it lives.
pub(crate) struct Counted(&'static str);

impl Counted {
    pub(crate) fn new(transport: &'static str) -> Counted {
        metrics::gauge!("upshelf_live_connections", "transport" => transport).increment(1);
        metrics::counter!("upshelf_live_connections_total", "transport" => transport).increment(1);
        Counted(transport)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("upshelf_live_connections", "transport" => self.0).decrement(1);
    }
}

/// Counts what goes out.
pub(crate) fn sent(frames: usize, lines: usize, bytes: usize) {
    metrics::counter!("upshelf_live_frames_out_total").increment(frames as u64);
    metrics::counter!("upshelf_live_messages_out_total").increment(lines as u64);
    metrics::counter!("upshelf_live_bytes_out_total").increment(bytes as u64);
}

/// Counts the end of a connection that this side ended.
pub(crate) fn closed(Close { code, reason }: Close) {
    tracing::debug!(code, reason, "closed a connection");
    metrics::counter!("upshelf_live_closes_total", "code" => code.to_string()).increment(1);
}
