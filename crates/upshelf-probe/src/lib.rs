//! Asks an address on the web for a sign of life, and no address that is not public.
//!
//! People write the addresses, so nothing about them is believed: only `http` and `https` are asked, a name is looked up
//! once and every address that comes back is vetted ([`Guard`]), and the connection goes to a vetted address and to no
//! other, so that a name which answers differently the second time (DNS rebinding) gains nothing. Redirects are followed
//! by hand, at most five, and each is vetted anew. No cookies and no credentials are sent, no body is read, and the requests
//! take ten seconds together at most. A server is asked by one at a time, with a pause before each request, also where
//! redirects lead to it; one that says when it wants to be asked again (`Retry-After`) is left alone until then, for a day at
//! most.
//!
//! What is seen ([`Sight`]) keeps apart what says that a page is gone (404, 410, no such name, a certificate that has run
//! out) from what says nothing about the page (a refusal, an overload, a failure, a time-out).
//!
//! ```
//! use upshelf_probe::Guard;
//!
//! assert!(Guard::public().allows("192.0.43.8".parse()?));
//! assert!(!Guard::public().allows("169.254.169.254".parse()?));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod exchange;
mod guard;
mod manners;
mod names;
mod probe;
mod sight;

pub use guard::Guard;
pub use names::Names;
pub use probe::{Probe, Settings};
pub use sight::{Gone, Sight, Unclear};

/// Why there is no probe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine's settings for looking names up cannot be read.
    #[error("could not find out how names are looked up")]
    Names(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The settings of TLS contradict each other.
    #[error("could not set TLS up")]
    Tls(#[source] rustls::Error),
}
