//! What operators do to queues that takes more than one step.

use upshelf_queue::{Broker, JobId, State};

use crate::{Catalog, Result};

/// How many jobs are listed at a time.
const AT_ONCE: u32 = 500;

/// Reads the name of a job as it is printed. Which names there are depends on where a queue keeps its jobs.
pub fn parse_job_id(text: &str) -> Option<JobId> {
    let as_text = || serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
    serde_json::from_str(text).ok().or_else(as_text)
}

impl Catalog {
    /// Makes the delayed jobs of a queue due now; says how many. What looks at the time itself may find that it is early, and
    /// leaves the work to a later job.
    pub async fn promote_delayed(&self, queue: &str) -> Result<u64> {
        let (mut delayed, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.queue().jobs(queue, State::Delayed, cursor.as_deref(), AT_ONCE).await?;
            delayed.extend(page.jobs.into_iter().map(|job| job.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut promoted = 0;
        // A page has the newest first; who was there first is due first.
        for id in delayed.into_iter().rev() {
            promoted += u64::from(self.queue().promote(id).await?);
        }
        Ok(promoted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_found_by_its_printed_name() {
        let id = parse_job_id("17").expect("a name");
        assert_eq!(id.to_string(), "17");
        assert_eq!(parse_job_id(""), None);
    }
}
