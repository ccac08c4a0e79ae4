//! A name server (RFC 1035) that knows one address, and a few ways to know nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// Codes of replies (RFC 1035, 4.1.1).
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const REFUSED: u8 = 5;

/// A question for an IPv4 address (RFC 1035, 3.2.2).
const TYPE_A: [u8; 2] = [0, 1];

pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    /// Ends with the server.
    _tasks: JoinSet<()>,
}

impl Dns {
    /// Gives every name this address, but for `missing`, `broken`, `refused` and `empty`.
    pub(crate) async fn start(address: IpAddr) -> Dns {
        Dns::rebinding(address, address).await
    }

    /// Gives names the address `first` once, and `then` ever after.
    pub(crate) async fn rebinding(first: IpAddr, then: IpAddr) -> Dns {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = socket.local_addr().expect("it listens");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut now = first;
            let mut packet = [0; 512];
            while let Ok((size, peer)) = socket.recv_from(&mut packet).await {
                let (reply, had_address) = answer(&packet[..size], now);
                if had_address {
                    now = then;
                }
                let _ = socket.send_to(&reply, peer).await;
            }
        });
        Dns { address, _tasks: tasks }
    }
}

/// The reply to a question, and whether an address is in it.
fn answer(query: &[u8], address: IpAddr) -> (Vec<u8>, bool) {
    // The question: labels up to an empty one, then its type and class.
    let labels = query[12..].iter().scan(0, |left, byte| {
        if *left == 0 {
            *left = *byte;
            (*byte > 0).then_some(None)
        } else {
            *left -= 1;
            Some(Some(*byte))
        }
    });
    let name: Vec<u8> = labels.map(|byte| byte.unwrap_or(b'.')).collect();
    let end = 12 + name.len() + 5;
    let question = &query[12..end];
    let asks_v4 = question[question.len() - 4..question.len() - 2] == TYPE_A;
    let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
    let code = match name.trim_start_matches('.').split('.').next().unwrap_or_default() {
        "missing" => NAME_ERROR,
        "broken" => SERVER_FAILURE,
        "refused" => REFUSED,
        _ => NO_ERROR,
    };
    let octets = match address {
        IpAddr::V4(address) if asks_v4 && code == NO_ERROR && !name.contains("empty") => {
            Some(address.octets())
        }
        _ => None,
    };
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(octets.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some(octets) = octets {
        // The name as in the question, type A, class IN, good for no time, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(octets);
    }
    (reply, octets.is_some())
}
