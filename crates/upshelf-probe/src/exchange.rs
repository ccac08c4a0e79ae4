//! One request and the head of its reply, over a connection of its own to a vetted address.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// The largest head of a reply.
const HEAD: usize = 64 * 1024;

/// The most addresses of a server that are tried.
const ADDRESSES: usize = 3;

/// Why there is no reply.
pub(crate) enum Failure {
    CertificateExpired,
    Tls(String),
    Unreachable(String),
}

/// Asks for a page, and gives the head of the reply. Its body stays unread, and ends with the connection.
pub(crate) async fn get(
    tls: &TlsConnector,
    addresses: &[SocketAddr],
    url: &Url,
    agent: &str,
) -> Result<Response<Incoming>, Failure> {
    let stream = connect(addresses).await?;
    if url.scheme() != "https" {
        return talk(stream, url, agent).await;
    }
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|error| Failure::Tls(error.to_string()))?,
        Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::from(address)),
        None => return Err(Failure::Tls("the address names no server".to_owned())),
    };
    let stream = tls.connect(name, stream).await.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Failure::CertificateExpired,
            Some(error) => Failure::Tls(error.to_string()),
            None => Failure::Unreachable(error.to_string()),
        }
    })?;
    talk(stream, url, agent).await
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut last = "it has no address".to_owned();
    for address in addresses.iter().take(ADDRESSES) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(Failure::Unreachable(last))
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    url: &Url,
    agent: &str,
) -> Result<Response<Incoming>, Failure> {
    let broken = |error: &dyn std::error::Error| Failure::Unreachable(error.to_string());
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    };
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let request = Request::get(target)
        .header(HOST, host)
        .header(USER_AGENT, agent)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let mut connection = pin!(connection);
    let mut reply = pin!(sender.send_request(request));
    // A server that answers and hangs up at once does both within one poll: the reply is looked at first.
    tokio::select! {
        biased;
        reply = &mut reply => reply.map_err(|error| broken(&error)),
        ended = &mut connection => match ended {
            Ok(()) => reply.await.map_err(|error| broken(&error)),
            Err(error) => Err(broken(&error)),
        },
    }
}
