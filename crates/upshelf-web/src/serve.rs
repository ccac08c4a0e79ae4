//! The connection under the door: who may connect how often, and how slowly.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::settings::Settings;

/// The head of a request may have so many bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// How long to wait when the machine has no more file handles.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers what comes in until `closing` is cancelled; then takes no more connections, lets every request that has
/// begun come to its end, and returns.
///
/// # Errors
/// Never for what one client does; the listener itself can fail.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &Settings,
    closing: CancellationToken,
) -> io::Result<()> {
    let connections = TaskTracker::new();
    let door = Door { held: Arc::default(), most: settings.connections_per_ip };
    let server = server(settings.head_time);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_clients_fault(&error) => continue,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not take a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let ip = peer.ip().to_canonical();
        let is_proxy = settings.trusted_proxies.iter().any(|net| net.contains(&ip));
        let place = if is_proxy { None } else { door.enter(ip) };
        if place.is_none() && !is_proxy {
            tracing::debug!("an address holds too many connections");
            continue;
        }
        let (router, server, closing) = (router.clone(), server.clone(), closing.clone());
        connections.spawn(async move {
            converse(stream, peer, place.map(|place| Place(Arc::new(place))), router, server, closing).await;
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    Ok(())
}

fn server(head_time: Duration) -> hyper::server::conn::http1::Builder {
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head_time).max_buf_size(LONGEST_HEAD);
    server
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    place: Option<Place>,
    router: Router,
    server: hyper::server::conn::http1::Builder,
    closing: CancellationToken,
) {
    // Without it a small reply can wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(place) = &place {
            request.extensions_mut().insert(place.clone());
        }
        router.clone().call(request.map(Body::new))
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), answer).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke");
    }
}

fn is_the_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Counts the connections that each address holds.
struct Door {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// One connection's place, for as long as anybody holds it: a connection that becomes a WebSocket takes it along.
#[derive(Clone)]
pub(crate) struct Place(#[expect(dead_code, reason = "it is held, and looked at by nobody")] Arc<Held>);

/// One of the places of an address; it is free again when this is dropped.
struct Held {
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
    ip: IpAddr,
}

impl Door {
    fn enter(&self, ip: IpAddr) -> Option<Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(ip).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Held { held: self.held.clone(), ip })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_more_connections_than_it_may_and_gets_its_places_back() {
        let door = Door { held: Arc::default(), most: 2 };
        let (here, there) =
            ("192.0.2.1".parse().expect("an address"), "192.0.2.2".parse().expect("an address"));
        let first = door.enter(here);
        let second = door.enter(here);
        assert!(first.is_some() && second.is_some());
        assert!(door.enter(here).is_none());
        assert!(door.enter(there).is_some());
        drop(first);
        assert!(door.enter(here).is_some());
        drop(second);
        assert!(door.held.lock().expect("nobody panicked").is_empty());
    }
}
