use std::fmt;

use url::Url;

/// What was seen of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is there.
    Alive {
        /// Where it is now, when the server says that it has moved there for good (301, 308).
        moved_to: Option<Url>,
    },
    /// It is gone.
    Gone(Gone),
    /// Nothing that tells whether it is there.
    Unclear(Unclear),
}

/// What says that a page is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// The server does not find it (404).
    NotFound,
    /// The server says that it is gone (410).
    Removed,
    /// Nobody has the name any more (NXDOMAIN).
    NoSuchName,
    /// The server's certificate has run out.
    CertificateExpired,
}

/// What says nothing about a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// Another status: a refusal, an overload, a failure.
    Status(u16),
    /// It was not asked: its server wants to be left alone for a while.
    LeftAlone,
    /// It took too long.
    TimedOut,
    /// The server cannot be reached, or breaks off; says why.
    Unreachable(String),
    /// TLS cannot be spoken, for another reason than a certificate that has run out.
    Tls(String),
    /// It leads to where nobody may be sent: another scheme, or an address that is not public.
    NotAllowed,
    /// It leads on and on.
    TooManyRedirects,
    /// It leads on without saying where.
    BadRedirect,
}

/// The most characters of a reason: it may quote what a server says of itself, such as the hundred names of its certificate.
const REASON: usize = 200;

impl Unclear {
    pub(crate) fn unreachable(why: String) -> Unclear {
        Unclear::Unreachable(short(why))
    }

    pub(crate) fn tls(why: String) -> Unclear {
        Unclear::Tls(short(why))
    }
}

fn short(mut reason: String) -> String {
    if let Some((at, _)) = reason.char_indices().nth(REASON) {
        reason.truncate(at);
        reason.push('…');
    }
    reason
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gone::NotFound => "404 Not Found",
            Gone::Removed => "410 Gone",
            Gone::NoSuchName => "no such domain (NXDOMAIN)",
            Gone::CertificateExpired => "the certificate has expired",
        })
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unclear::Status(status) => write!(f, "status {status}"),
            Unclear::LeftAlone => f.write_str("the server wants to be left alone for a while"),
            Unclear::TimedOut => f.write_str("it took too long"),
            Unclear::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Unclear::Tls(why) => write!(f, "no TLS: {why}"),
            Unclear::NotAllowed => f.write_str("it does not lead to the public web"),
            Unclear::TooManyRedirects => f.write_str("too many redirects"),
            Unclear::BadRedirect => f.write_str("a redirect to nowhere"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_no_longer_than_somebody_reads() {
        assert_eq!(short("refused".to_owned()), "refused");
        let whole = "é".repeat(REASON);
        assert_eq!(short(whole.clone()), whole);
        assert_eq!(short(format!("{whole}é, and so on")), format!("{whole}…"));
    }
}
