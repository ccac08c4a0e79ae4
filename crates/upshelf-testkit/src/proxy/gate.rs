use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Counts;
use super::carry::{Way, carry};
use crate::places::quiet_port;

/// What a proxy's thread is told, with whom to tell when it is done.
pub(super) enum Order {
    Open(Sender<()>),
    Close(Sender<()>),
    /// The way has changed: everyone on it looks by himself, on this same thread.
    Note(Sender<()>),
}

/// The listening side of a proxy.
pub(super) struct Gate {
    pub(super) server: SocketAddr,
    pub(super) way: watch::Receiver<Way>,
    pub(super) counts: Arc<Counts>,
}

impl Gate {
    /// Works until the proxy is dropped.
    pub(super) fn keep(self, inbox: mpsc::UnboundedReceiver<Order>, opened: oneshot::Sender<SocketAddr>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made")
            .block_on(self.work(inbox, opened));
    }

    async fn work(self, mut inbox: mpsc::UnboundedReceiver<Order>, opened: oneshot::Sender<SocketAddr>) {
        let (address, first) = loop {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, quiet_port()));
            // Between finding a port and using it another program can take it.
            if let Ok(listener) = TcpListener::bind(address).await {
                break (address, listener);
            }
        };
        let mut listener = Some(first);
        let mut connections = JoinSet::new();
        let _ = opened.send(address);
        loop {
            tokio::select! {
                biased;
                order = inbox.recv() => match order {
                    None => return,
                    Some(Order::Open(done)) => {
                        if listener.is_none() {
                            listener = Some(TcpListener::bind(address).await.expect("the port is still free"));
                        }
                        let _ = done.send(());
                    }
                    Some(Order::Close(done)) => {
                        listener = None;
                        connections.shutdown().await;
                        let _ = done.send(());
                    }
                    Some(Order::Note(done)) => {
                        let _ = done.send(());
                    }
                },
                Some(client) = accept(listener.as_ref()) => {
                    self.counts.accepted.fetch_add(1, Ordering::SeqCst);
                    let open = Open::new(&self.counts);
                    let (server, way) = (self.server, self.way.clone());
                    connections.spawn(async move {
                        let _open = open;
                        carry(client, server, way).await
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    listener?.accept().await.ok().map(|(client, _)| client)
}

/// Counts a connection for as long as it lives.
struct Open(Arc<Counts>);

impl Open {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(counts))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
