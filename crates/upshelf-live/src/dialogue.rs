//! What one client says, and what it is answered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::codes::{Close, Code};
use crate::house::{House, Turned, Welcome};
use crate::hub::Channel;
use crate::live::Live;
use crate::outbox::Outbox;
use crate::subscribe::Joined;
use crate::wire::{self, Command, Connect, History, Method, Subscribe};

/// A connection that talks.
pub(crate) struct Dialogue<H: House> {
    live: Live<H>,
    pub(crate) outbox: Arc<Outbox>,
    /// Who it is without a token, until it has come in.
    known: Option<Welcome<H::Visitor>>,
    visitor: Option<Arc<H::Visitor>>,
    channels: Vec<Channel>,
}

impl<H: House> Dialogue<H> {
    pub(crate) fn begin(live: &Live<H>, known: Welcome<H::Visitor>) -> Dialogue<H> {
        let outbox = live.connection(true);
        Dialogue { live: live.clone(), outbox, known: Some(known), visitor: None, channels: Vec::new() }
    }

    /// Answers a command: what there is to say is in the outbox then, which the caller goes on to write.
    pub(crate) async fn answer(&mut self, Command { id, method }: Command) -> Result<(), Close> {
        let Some(visitor) = self.visitor.clone() else {
            return match method {
                Method::Connect(connect) => self.come_in(id, connect).await,
                _ => Err(Close::BAD_REQUEST),
            };
        };
        let answer = match method {
            Method::Pong => return Ok(()),
            Method::Send if id == 0 => return Err(Close::NOT_AVAILABLE),
            Method::Connect(_) => return Err(Close::BAD_REQUEST),
            Method::Refresh(refresh) => return self.renew(id, &visitor, &refresh.token).await,
            Method::Subscribe(subscribe) => return self.subscribe(id, &visitor, subscribe).await,
            Method::Unsubscribe(of) => {
                self.leave(&of.channel);
                wire::reply(id, "unsubscribe", b"{}")
            }
            // Subscriptions have no token, so they do not run out.
            Method::SubRefresh(of) => match self.find(&of.channel) {
                Some(_) => wire::reply(id, "sub_refresh", b"{}"),
                None => wire::refusal(id, Code::PermissionDenied),
            },
            Method::History(history) => match self.history(history).await {
                Ok(body) => wire::reply(id, "history", &body),
                Err(code) => wire::refusal(id, code),
            },
            Method::Ping => wire::reply(id, "ping", b"{}"),
            Method::Send => wire::refusal(id, Code::NotAvailable),
            Method::Refused(code) => wire::refusal(id, code),
        };
        self.outbox.queue(answer.into());
        Ok(())
    }

    async fn come_in(&mut self, id: u32, connect: Connect) -> Result<(), Close> {
        let welcome = match (connect.token.as_str(), self.known.take()) {
            ("", Some(known)) => known,
            ("", None) => return Err(Close::INVALID_TOKEN),
            (token, _) => match self.live.inner.house.admit(token).await {
                Ok(welcome) => welcome,
                // The client may come in with another token.
                Err(turned) => return self.turn_away(id, turned),
            },
        };
        let visitor = Arc::new(welcome.visitor);
        self.enter(&visitor).await?;
        let ttl = self.open(welcome.expires_in);

        let mut joined: Vec<(String, Joined)> = Vec::new();
        for name in welcome.channels {
            let recovery = connect.subs.get(&name).cloned().unwrap_or_default();
            let join = self.live.join(&self.outbox, &visitor, &name, &Value::Null, &recovery).await;
            // Without it the client would wait for what never comes.
            let join = join.map_err(|_| Close::SERVER_ERROR)?;
            self.channels.push(join.channel.clone());
            joined.push((name, join));
        }
        let body = self.greeting(ttl.filter(|_| welcome.may_renew), &joined);
        self.outbox.queue(wire::reply(id, "connect", &body).into());
        for (_, join) in &joined {
            join.settle(&self.outbox);
        }
        Ok(())
    }

    fn greeting(&self, ttl: Option<u64>, joined: &[(String, Joined)]) -> Vec<u8> {
        let node = &self.live.inner.node;
        let ping = self.live.inner.settings.ping.as_secs();
        let client = wire::quoted(&format!("{node}.{}", self.outbox.id));
        let mut body = format!(
            "{{\"client\":{client},\"version\":\"upshelf {}\",\"ping\":{ping},\"pong\":true,\"session\":{client},\"node\":{}{}",
            env!("CARGO_PKG_VERSION"),
            wire::quoted(node),
            wire::expiry(ttl),
        )
        .into_bytes();
        if !joined.is_empty() {
            body.extend_from_slice(b",\"subs\":{");
            for (at, (name, join)) in joined.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                body.extend_from_slice(format!("{comma}{}:", wire::quoted(name)).as_bytes());
                body.extend_from_slice(&join.subscribed.json());
            }
            body.push(b'}');
        }
        body.push(b'}');
        body
    }

    async fn renew(&mut self, id: u32, visitor: &Arc<H::Visitor>, token: &str) -> Result<(), Close> {
        let welcome = match self.live.inner.house.renew(visitor, token).await {
            Ok(welcome) => welcome,
            Err(turned) => return self.turn_away(id, turned),
        };
        let visitor = Arc::new(welcome.visitor);
        self.enter(&visitor).await?;
        let ttl = self.open(welcome.expires_in);
        let client = wire::quoted(&format!("{}.{}", self.live.inner.node, self.outbox.id));
        let version = env!("CARGO_PKG_VERSION");
        let body = format!("{{\"client\":{client},\"version\":\"upshelf {version}\"{}}}", wire::expiry(ttl));
        self.outbox.queue(wire::reply(id, "refresh", body.as_bytes()).into());
        Ok(())
    }

    /// Notes who it is. What ended their right to be here before they could be found here is seen now.
    async fn enter(&mut self, visitor: &Arc<H::Visitor>) -> Result<(), Close> {
        self.live.inner.peers.name(self.outbox.id, visitor);
        self.visitor = Some(visitor.clone());
        match self.live.inner.house.may_stay(visitor).await {
            true => Ok(()),
            false => Err(Close::INVALID_TOKEN),
        }
    }

    fn turn_away(&self, id: u32, turned: Turned) -> Result<(), Close> {
        match turned {
            Turned::Invalid => Err(Close::INVALID_TOKEN),
            Turned::Expired => {
                self.outbox.queue(wire::refusal(id, Code::TokenExpired).into());
                Ok(())
            }
            Turned::Failed => {
                self.outbox.queue(wire::refusal(id, Code::Internal).into());
                Ok(())
            }
        }
    }

    /// Notes how long the sign-in is good for, and gives the time that is told: a little less, because clients renew at
    /// the end of it.
    fn open(&self, expires_in: Option<Duration>) -> Option<u64> {
        let second = self.live.second();
        let ping = self.live.inner.settings.ping.as_secs().max(1);
        // Spread, so that those who came together are not asked together.
        let first_ping = second + 1 + self.outbox.id % ping;
        // The first second has begun already.
        let expires_at = expires_in.map(|left| second + left.as_secs() + 1);
        self.outbox.open(first_ping, expires_at);
        expires_in.map(|left| {
            let left = left.as_secs();
            (left - (left / 4).min(30)).max(1)
        })
    }

    async fn subscribe(&mut self, id: u32, visitor: &Arc<H::Visitor>, wish: Subscribe) -> Result<(), Close> {
        let Subscribe { channel, data, recovery } = wish;
        if let Some(code) = self.obstacle(&channel) {
            self.outbox.queue(wire::refusal(id, code).into());
            return Ok(());
        }
        match self.live.join(&self.outbox, visitor, &channel, &data, &recovery).await {
            Ok(joined) => {
                self.channels.push(joined.channel.clone());
                self.outbox.queue(wire::reply(id, "subscribe", &joined.subscribed.json()).into());
                joined.settle(&self.outbox);
            }
            Err(code) => self.outbox.queue(wire::refusal(id, code).into()),
        }
        Ok(())
    }

    /// Says what of the connection itself stands in the way of a subscription.
    fn obstacle(&mut self, name: &str) -> Option<Code> {
        // A channel that has sent its watchers away has sent this one too.
        self.channels.retain(|channel| channel.has(self.outbox.id));
        if self.find(name).is_some() {
            Some(Code::AlreadySubscribed)
        } else {
            (self.channels.len() >= self.live.inner.settings.channels).then_some(Code::LimitExceeded)
        }
    }

    fn find(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| &**channel.name() == name)
    }

    fn leave(&mut self, name: &str) {
        self.channels.retain(|channel| {
            let stays = &**channel.name() != name;
            if !stays {
                channel.leave(&self.outbox);
            }
            stays
        });
    }

    async fn history(&self, wish: History) -> Result<Vec<u8>, Code> {
        let channel = self.find(&wish.channel).cloned().ok_or(Code::PermissionDenied)?;
        if wish.reverse {
            return Err(Code::NotAvailable);
        }
        let most = self.live.inner.settings.recovery;
        let limit = usize::try_from(wish.limit).unwrap_or(most).min(most);
        let since = wish.since.as_ref().map_or(0, |since| since.offset);
        let past = self.live.past(&channel, (limit > 0).then_some(since), limit).await?;
        if wish.since.is_some_and(|since| since.epoch != past.epoch || since.offset > past.top) {
            return Err(Code::UnrecoverablePosition);
        }
        let written: Vec<Vec<u8>> =
            past.publications.iter().map(|one| wire::publication(Some(one.offset), &one.data)).collect();
        let mut body = b"{\"publications\":".to_vec();
        wire::list(&mut body, &written);
        let epoch = wire::quoted(&past.epoch);
        body.extend_from_slice(format!(",\"epoch\":{epoch},\"offset\":{}}}", past.top).as_bytes());
        Ok(body)
    }
}

impl<H: House> Drop for Dialogue<H> {
    fn drop(&mut self) {
        for channel in &self.channels {
            channel.leave(&self.outbox);
        }
        self.live.inner.peers.remove(self.outbox.id);
    }
}
