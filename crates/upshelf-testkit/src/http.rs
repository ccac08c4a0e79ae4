use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What a server answers, byte for byte, to a request with this path and this head.
pub type Answer = Arc<dyn Fn(&str, &str) -> String + Send + Sync>;

/// A web server that answers as a test says. It ends with its value.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl HttpServer {
    /// Answers on 127.0.0.1 with what `answer` makes of the path and the head of a request, and hangs up.
    pub async fn start(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> HttpServer {
        HttpServer::start_at(Ipv4Addr::LOCALHOST.into(), answer).await
    }

    /// The same on another address of this machine.
    pub async fn start_at(
        ip: IpAddr,
        answer: impl Fn(&str, &str) -> String + Send + Sync + 'static,
    ) -> HttpServer {
        let listener = TcpListener::bind((ip, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (asked, mut tasks) = (Arc::new(AtomicUsize::new(0)), JoinSet::new());
        let (count, answer): (_, Answer) = (asked.clone(), Arc::new(answer));
        tasks.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                talks.spawn(async move { HttpServer::answer(stream, &answer).await });
            }
        });
        HttpServer { address, asked, _tasks: tasks }
    }

    /// Answers one request on a connection, and hangs up: for servers that put something around it.
    pub async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Answer) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default();
        // Whoever asked may have gone away: that is theirs.
        let _ = stream.write_all(answer(path, &head).as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections it has had.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}
