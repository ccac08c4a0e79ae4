//! The same server as for plain HTTP, behind TLS.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use upshelf_testkit::HttpServer;

pub(crate) struct TlsServer {
    pub(crate) url: String,
    /// Ends with the server.
    _tasks: JoinSet<()>,
}

impl TlsServer {
    /// Answers 200 to everything, with the certificate in `folder`.
    pub(crate) async fn start(folder: &Path) -> TlsServer {
        let certificates = CertificateDer::pem_file_iter(folder.join("server.pem")).expect("a file");
        let certificates = certificates.map(|one| one.expect("a certificate")).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .expect("they belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let url = format!("https://{}/", listener.local_addr().expect("it listens"));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let answer = |_: &str, _: &str| "HTTP/1.1 200 X\r\n\r\n".to_owned();
                    HttpServer::answer(stream, &(Arc::new(answer) as upshelf_testkit::Answer)).await;
                }
            }
        });
        TlsServer { url, _tasks: tasks }
    }
}
