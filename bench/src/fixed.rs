//! A server that answers everything with a fixed body: the product's HTTP stack with nothing behind it.

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::server::{Server, Settings};

/// Starts one in a process of its own.
pub(crate) fn start(length: usize) -> Result<Server> {
    Server::start(&std::env::current_exe()?, &["fixed", &length.to_string()], &Settings::new())
}

/// Serves until it is killed, as many threads as there are cores.
pub(crate) fn serve(length: usize) -> Result<()> {
    let body = Bytes::from(vec![b' '; length]);
    let answer = async move |_: Bytes| ([(CONTENT_TYPE, "application/json")], body.clone());
    let router = Router::new().fallback(answer);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        // The settings of the product's own connections.
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(std::time::Duration::from_secs(20));
        http.max_buf_size(64 * 1024);
        loop {
            let (stream, _) = listener.accept().await?;
            let (router, http) = (router.clone(), http.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let answer = service_fn(move |request: hyper::Request<Incoming>| {
                    router.clone().oneshot(request.map(Body::new))
                });
                let _ = http.serve_connection(TokioIo::new(stream), answer).with_upgrades().await;
            });
        }
    })
}
