use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How the way to the server is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    pub(super) is_frozen: bool,
    pub(super) delay: Duration,
}

/// Carries bytes both ways until one side ends.
pub(super) async fn carry(
    mut client: TcpStream,
    server: SocketAddr,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    open(&mut way).await;
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // What the server has said last still arrives; what a client that left has asked does not matter any more.
    tokio::select! {
        ended = one_way(from_client, to_server, way.clone()) => ended,
        ended = one_way(from_server, to_client, way) => ended,
    }
}

/// Carries one direction to its end. What is under way does not hold up what follows, so a delay costs no throughput.
async fn one_way(mut from: ReadHalf<'_>, to: WriteHalf<'_>, mut way: watch::Receiver<Way>) -> io::Result<()> {
    let (sent, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let delay = way.clone();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let due = Instant::now() + delay.borrow().delay;
            if length == 0 || sent.send((due, buffer[..length].to_vec())).await.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, bytes)) = under_way.recv().await {
            tokio::time::sleep_until(due).await;
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                to.writable().await?;
                // Nothing awaits between this look and the write, so a freeze holds from the moment it is ordered.
                if way.borrow().is_frozen {
                    open(&mut way).await;
                    continue;
                }
                match to.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ())
}

/// Waits until the way is not frozen.
async fn open(way: &mut watch::Receiver<Way>) {
    if way.wait_for(|way| !way.is_frozen).await.is_err() {
        // The proxy is gone, and this task will be within the moment.
        std::future::pending::<Infallible>().await;
    }
}
