//! How a connection begins to watch a channel, so that it misses nothing and gets nothing twice: it is entered first, its
//! history is read then, and what came meanwhile is handed over behind the reply.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::codes::Code;
use crate::house::{House, Opening, Past};
use crate::hub::Channel;
use crate::latest::{Filter, Latest};
use crate::live::Live;
use crate::outbox::Outbox;
use crate::wire::{self, Recovery, Subscribed};

/// A subscription whose reply is not sent yet.
pub(crate) struct Joined {
    pub(crate) channel: Channel,
    pub(crate) subscribed: Subscribed,
    filter: Option<Arc<Filter>>,
    /// Up to where the reply tells of the channel: a number of a publication, or a stamp.
    told: u64,
}

impl Joined {
    /// Lets publications through, once the reply is on its way.
    pub(crate) fn settle(&self, outbox: &Outbox) {
        match &self.channel {
            Channel::Stream(stream) => stream.settle(outbox.id, self.told),
            Channel::Brief(brief) => brief.settle(outbox.id, self.told),
            Channel::Latest(board) => outbox.watch(board.clone(), self.filter.clone(), self.told),
        }
    }
}

impl<H: House> Live<H> {
    /// Begins a subscription; its channel lets go of it again if that fails.
    pub(crate) async fn join(
        &self,
        outbox: &Arc<Outbox>,
        visitor: &H::Visitor,
        name: &str,
        data: &Value,
        recovery: &Recovery,
    ) -> Result<Joined, Code> {
        if name.is_empty() || name.len() > self.inner.settings.channel_name {
            return Err(Code::BadRequest);
        }
        let Opening { kind, filter } = self.inner.house.open(visitor, name, data).await?;
        let channel = self.inner.hub.enter(name, kind, outbox, &self.inner.settings);
        let entered = Entered { channel: &channel, outbox, stays: false };
        let begun = match &channel {
            Channel::Latest(board) => self.show(board, filter).await?,
            Channel::Stream(_) | Channel::Brief(_) => self.catch_up(&channel, recovery).await?,
        };
        entered.stays();
        let (subscribed, told, filter) = begun;
        Ok(Joined { channel, subscribed, filter, told })
    }

    /// Reads a position and what was published behind it, as [`House::past`] does.
    pub(crate) async fn past(
        &self,
        channel: &Channel,
        since: Option<u64>,
        limit: usize,
    ) -> Result<Past, Code> {
        match channel {
            Channel::Stream(stream) => {
                let past = self.inner.house.past(&stream.name, since, limit).await?;
                let then = stream.learn(&past.epoch, past.top);
                self.go_on(stream.clone(), then);
                Ok(past)
            }
            Channel::Brief(brief) => Ok(brief.past(since, limit, Instant::now())),
            Channel::Latest(_) => Err(Code::NotAvailable),
        }
    }

    async fn catch_up(
        &self,
        channel: &Channel,
        recovery: &Recovery,
    ) -> Result<(Subscribed, u64, Option<Arc<Filter>>), Code> {
        let since = recovery.recover.then_some(recovery.offset);
        let past = self.past(channel, since, self.inner.settings.recovery).await?;
        let is_recovered =
            recovery.recover && recovery.epoch == past.epoch && is_whole(&past, recovery.offset);
        let publications = match is_recovered {
            true => {
                past.publications.iter().map(|one| wire::publication(Some(one.offset), &one.data)).collect()
            }
            false => Vec::new(),
        };
        let subscribed = Subscribed {
            is_recoverable: true,
            epoch: past.epoch,
            offset: past.top,
            is_recovered,
            was_recovering: recovery.recover,
            publications,
        };
        Ok((subscribed, past.top, None))
    }

    async fn show(
        &self,
        board: &Arc<Latest>,
        filter: Option<Vec<String>>,
    ) -> Result<(Subscribed, u64, Option<Arc<Filter>>), Code> {
        let load = async || {
            let items = self.inner.house.latest(&board.name).await?;
            self.tell_at(board.clone(), board.replace(items, Instant::now()));
            Ok::<_, Code>(())
        };
        board.is_loaded.get_or_try_init(load).await?;
        let filter = filter.map(|keys| Arc::new(keys.into_iter().collect::<Filter>()));
        let (snapshot, stamp) = board.snapshot(filter.as_deref());
        let subscribed = Subscribed { publications: vec![snapshot], ..Subscribed::default() };
        Ok((subscribed, stamp, filter))
    }
}

/// Says whether nothing is missing between a position and the end of a history.
fn is_whole(past: &Past, since: u64) -> bool {
    let expected = since + 1..past.top + 1;
    since <= past.top && past.publications.iter().map(|one| one.offset).eq(expected)
}

/// Takes a connection out of a channel again, unless it stays.
struct Entered<'a> {
    channel: &'a Channel,
    outbox: &'a Outbox,
    stays: bool,
}

impl Entered<'_> {
    fn stays(mut self) {
        self.stays = true;
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if !self.stays {
            self.channel.leave(self.outbox);
        }
    }
}
