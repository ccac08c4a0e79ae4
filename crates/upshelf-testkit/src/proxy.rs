use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

mod carry;
mod gate;

/// A TCP proxy before a server, to break and to mend the way there.
///
/// It works on a thread of its own, so it goes on while a test's clock is paused and its runtime is busy. What it is
/// told holds when the call returns. When this value is dropped, so is every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    url: String,
    orders: mpsc::UnboundedSender<gate::Order>,
    way: watch::Sender<carry::Way>,
    counts: Arc<Counts>,
}

/// Connections to a proxy.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    /// Begins to listen on a port of its own, and forwards to `address`.
    ///
    /// # Panics
    /// When `address` is none.
    pub async fn to(address: impl ToSocketAddrs) -> Self {
        let server = address.to_socket_addrs().ok().and_then(|mut all| all.next());
        let server = server.expect("a proxy needs the address of a server");
        Self::before(server, &format!("redis://{server}")).await
    }

    /// As [`to`](Self::to), keeping what else stands in the server's URL.
    pub(crate) async fn before(server: SocketAddr, url: &str) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (way, on_way) = watch::channel(carry::Way::default());
        let counts = Arc::<Counts>::default();
        let (opened, listening) = oneshot::channel();
        let gate = gate::Gate { server, way: on_way, counts: Arc::clone(&counts) };
        std::thread::spawn(move || gate.keep(inbox, opened));
        let address: SocketAddr = listening.await.expect("a proxy's thread opens first of all");
        let (from, to) = (server.port().to_string(), address.port().to_string());
        Self { address, url: url.replacen(&format!(":{from}"), &format!(":{to}"), 1), orders, way, counts }
    }

    /// Returns `redis://…` with the proxy's port (of another kind, if the server's URL is).
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection and refuses new ones, as a server that is down.
    pub fn cut(&self) {
        self.tell(gate::Order::Close);
    }

    /// Keeps connections and accepts new ones, but forwards nothing, as a network that lost its way. What comes
    /// meanwhile is held back.
    pub fn freeze(&self) {
        self.way.send_modify(|way| way.is_frozen = true);
        self.tell(gate::Order::Note);
    }

    /// Forwards again, what was held back first, and accepts connections; a [`delay`](Self::delay) ends too.
    ///
    /// # Panics
    /// When another program took the port meanwhile.
    pub fn restore(&self) {
        self.way.send_replace(carry::Way::default());
        self.tell(gate::Order::Open);
    }

    /// Makes everything take `by` longer in each direction from now on.
    pub fn delay(&self, by: Duration) {
        self.way.send_modify(|way| way.delay = by);
        self.tell(gate::Order::Note);
    }

    /// Counts the connections accepted since the proxy began.
    pub fn connections(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// Counts the connections that are open now.
    pub fn open_connections(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Waits for the proxy's thread, which never waits for anything but its sockets.
    fn tell(&self, order: fn(std::sync::mpsc::Sender<()>) -> gate::Order) {
        let (done, answer) = std::sync::mpsc::channel();
        let _ = self.orders.send(order(done));
        answer.recv().expect("the proxy's thread does what it is told, or its port was taken");
    }
}
