use super::entry::{entry, state_of};
use super::{Link, Shared, ask, jobs};
use crate::local::list;
use crate::{Entry, Error, JobId, Page, Result, State, ledger};

const DOING: &str = "list jobs in Redis";

impl Shared {
    pub(super) async fn find(&self, id: JobId) -> Result<Option<Entry>> {
        match id {
            JobId::Row(row) => {
                let reader = self.local().reader()?;
                let Some(found) = list::find(&reader, row).await? else { return Ok(None) };
                let is_handed_over = async || -> Result<bool> {
                    let standing = ledger::standing(self.local().pools(), row).await?;
                    Ok(standing.is_some_and(|standing| standing.is_handed_over))
                };
                if !is_handed_over().await? {
                    return list::find(&reader, row).await;
                }
                // While Redis is away, the row is what is known.
                let link = self.inner.link.borrow().clone();
                let Some(link) = link else { return Ok(Some(Entry { state: State::Waiting, ..found })) };
                match self.find_in(&link, &found.queue, &jobs::id_of(row), found.attempt).await? {
                    // What was settled this moment tells more as a row.
                    Some(entry) if is_handed_over().await? => Ok(Some(entry)),
                    Some(_) => list::find(&reader, row).await,
                    None if is_handed_over().await? => Ok(Some(Entry { state: State::Waiting, ..found })),
                    None => list::find(&reader, row).await,
                }
            }
            JobId::Shared { queue, id } => {
                let link = self.link(DOING).await?;
                self.find_in(&link, &queue, &id, 0).await
            }
        }
    }

    async fn find_in(&self, link: &Link, queue: &str, id: &str, before: u16) -> Result<Option<Entry>> {
        ask(DOING, async {
            let jobs = link.queue(queue).await?;
            // A job may pass from one state to another between two questions: it is somewhere.
            for _ in 0..3 {
                let Some(state) = state_of(jobs.get_job_state(id).await?) else {
                    if jobs.get_job(id).await?.is_none() {
                        return Ok(None);
                    }
                    continue;
                };
                let Some(job) = jobs.get_job(id).await? else { return Ok(None) };
                return entry(link, queue, &job, state, before).await.map(Some);
            }
            Ok(None)
        })
        .await
    }

    /// Lists rows first, then what is only in Redis, each newest first; the cursor says where the page ended.
    pub(super) async fn list(
        &self,
        queue: &str,
        state: State,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        let limit = usize::try_from(limit.clamp(1, 1_000)).expect("a small number");
        let (mut page, mut place) = match Place::read(cursor)? {
            Place::Rows(cursor) => {
                let reader = self.local().reader()?;
                let wanted = u32::try_from(limit).expect("a small number");
                let page = list::page_of_others(&reader, queue, state, cursor, wanted).await?;
                if let Some(next) = page.next {
                    return Ok(Page { next: Some(format!("r{next}")), jobs: page.jobs });
                }
                (page.jobs, (0, 0))
            }
            Place::Redis(list, offset) => (Vec::new(), (list, offset)),
        };
        let link = self.link(DOING).await?;
        let lists = lists(state);
        while let Some(name) = lists.get(place.0)
            && page.len() < limit
        {
            let wanted = limit - page.len();
            let end = place.1 + i64::try_from(wanted).expect("a small number") - 1;
            let found = ask(DOING, async {
                let jobs = link.queue(queue).await?.get_jobs(&[name], place.1, end, false).await?;
                let mut entries = Vec::with_capacity(jobs.len());
                for job in &jobs {
                    let is_listed_as_row =
                        matches!(state, State::Completed | State::Failed) && jobs::row_of(job.id()).is_some();
                    if !is_listed_as_row {
                        entries.push(entry(&link, queue, job, state, 0).await?);
                    }
                }
                Ok((jobs.len(), entries))
            })
            .await?;
            page.extend(found.1);
            place = if found.0 < wanted { (place.0 + 1, 0) } else { (place.0, end + 1) };
        }
        let next = (place.0 < lists.len()).then(|| format!("q{}.{}", place.0, place.1));
        Ok(Page { jobs: page, next })
    }
}

/// BullMQ's lists of jobs in a state.
fn lists(state: State) -> &'static [&'static str] {
    match state {
        State::Waiting => &["waiting", "prioritized"],
        State::Delayed => &["delayed", "waiting-children"],
        State::Active => &["active"],
        State::Completed => &["completed"],
        State::Failed => &["failed"],
    }
}

/// Where a page begins.
#[derive(Debug, PartialEq, Eq)]
enum Place<'c> {
    Rows(Option<&'c str>),
    /// Which list, and how many of it to leave out.
    Redis(usize, i64),
}

impl<'c> Place<'c> {
    fn read(cursor: Option<&'c str>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self::Rows(None)) };
        if let Some(rows) = cursor.strip_prefix('r') {
            return Ok(Self::Rows(Some(rows)));
        }
        let place = cursor.strip_prefix('q').and_then(|place| place.split_once('.'));
        let (list, offset) = place.ok_or(Error::Cursor)?;
        let offset: u32 = offset.parse().map_err(|_| Error::Cursor)?;
        Ok(Self::Redis(list.parse().map_err(|_| Error::Cursor)?, offset.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_that_were_handed_out_are_read() {
        assert_eq!(Place::read(None).expect("the beginning"), Place::Rows(None));
        assert_eq!(Place::read(Some("rabc")).expect("a row"), Place::Rows(Some("abc")));
        assert_eq!(Place::read(Some("q1.20")).expect("a list"), Place::Redis(1, 20));
        for wrong in ["", "nonsense", "q1", "q.1", "q1.-2", "qx.1"] {
            assert!(matches!(Place::read(Some(wrong)), Err(Error::Cursor)), "{wrong}");
        }
    }
}
