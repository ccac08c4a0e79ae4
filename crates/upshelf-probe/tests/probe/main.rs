//! The probe against real servers on this machine: HTTP, TLS and DNS.

mod dns;
mod tls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject as _;
use rustls::time_provider::TimeProvider;
use tokio::time::Instant;
use upshelf_probe::{Gone, Guard, Names, Probe, Settings, Sight, Unclear};
use upshelf_testkit::{HttpServer, certify, temp_dir};

use dns::Dns;
use tls::TlsServer;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Asks 127.0.0.1, and no other address of this machine.
async fn settings(dns: &Dns) -> Settings {
    Settings {
        guard: Guard::from_fn(|address| address == HERE),
        names: Names::at(dns.address).expect("the server can be used"),
        roots: RootCertStore::empty(),
        time: Arc::new(rustls::time_provider::DefaultTimeProvider),
        agent: "Upshelf/0 (link check)".to_owned(),
        timeout: Duration::from_secs(10),
        pace: Duration::ZERO,
    }
}

async fn probe() -> Probe {
    Probe::new(settings(&Dns::start(HERE).await).await).expect("TLS can be set up")
}

fn alive() -> Sight {
    Sight::Alive { moved_to: None }
}

#[tokio::test]
async fn each_status_says_what_it_says_and_no_more() {
    let server =
        HttpServer::start(|path, _| format!("HTTP/1.1 {} X\r\ncontent-length: 0\r\n\r\n", &path[1..])).await;
    let probe = probe().await;
    for status in [200, 204, 206] {
        assert_eq!(probe.look(&server.url(&format!("/{status}"))).await, alive(), "{status}");
    }
    assert_eq!(probe.look(&server.url("/404")).await, Sight::Gone(Gone::NotFound));
    assert_eq!(probe.look(&server.url("/410")).await, Sight::Gone(Gone::Removed));
    assert_eq!(probe.look(&server.url("/301")).await, Sight::Unclear(Unclear::BadRedirect));
    for status in [300, 400, 401, 403, 405, 406, 418, 451, 500, 502, 503, 429] {
        assert_eq!(
            probe.look(&server.url(&format!("/{status}"))).await,
            Sight::Unclear(Unclear::Status(status))
        );
    }
}

#[tokio::test]
async fn a_server_is_given_time_by_all_whom_redirects_lead_to_it() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    let server = HttpServer::start(move |_, _| {
        seen.lock().expect("nobody panics").push(Instant::now());
        "HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n".to_owned()
    })
    .await;
    let to = format!("http://common.example:{}/", server.address().port());
    let leading = HttpServer::start(move |_, _| format!("HTTP/1.1 302 X\r\nlocation: {to}\r\n\r\n")).await;
    let pace = Duration::from_millis(150);
    let dns = Dns::start(HERE).await;
    let probe = Probe::new(Settings { pace, ..settings(&dns).await }).expect("TLS can be set up");
    let hosts = ["a.example", "b.example", "c.example", "d.example"];
    let urls = hosts.map(|host| format!("http://{host}:{}/", leading.address().port()));
    for sight in futures_util::future::join_all(urls.iter().map(|url| probe.look(url))).await {
        assert_eq!(sight, alive());
    }
    let times = times.lock().expect("nobody panics").clone();
    assert_eq!(times.len(), 4);
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= pace, "{:?}", pair[1] - pair[0]);
    }
}

#[tokio::test]
async fn a_server_is_asked_again_when_it_says_and_not_before() {
    let server = HttpServer::start(|path, _| {
        let (status, when) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let when = if when.is_empty() { String::new() } else { format!("retry-after: {when}\r\n") };
        format!("HTTP/1.1 {status} X\r\n{}content-length: 0\r\n\r\n", when.replace('_', " "))
    })
    .await;
    for (path, status, is_left_alone) in [
        ("/429", 429, true),
        ("/429/0", 429, false),
        ("/429/soon", 429, true),
        ("/503", 503, false),
        ("/503/120", 503, true),
        ("/503/99999999999999", 503, true),
        ("/429/Fri,_31_Dec_2100_23:59:59_GMT", 429, true),
        ("/429/Fri,_31_Dec_1999_23:59:59_GMT", 429, false),
        ("/500/120", 500, false),
    ] {
        let (probe, url) = (probe().await, server.url(path));
        assert_eq!(probe.look(&url).await, Sight::Unclear(Unclear::Status(status)), "{path}");
        assert_eq!(probe.is_to_be_left_alone(&server.url("/200")), is_left_alone, "{path}");
        let before = server.asked();
        let next = probe.look(&server.url("/200")).await;
        let expected = if is_left_alone { Sight::Unclear(Unclear::LeftAlone) } else { alive() };
        assert_eq!((next, server.asked() - before), (expected, usize::from(!is_left_alone)), "{path}");
    }
}

#[tokio::test]
async fn it_asks_plainly_as_itself_and_reads_no_body() {
    let server = HttpServer::start(|_, head| {
        let plain = head.starts_with("GET /a?b=%20c HTTP/1.1\r\n")
            && head.contains("user-agent: Upshelf/0 (link check)\r\n")
            && !head.contains("cookie:")
            && !head.contains("authorization:")
            && !head.contains("referer:");
        // More than anybody would wait for.
        format!("HTTP/1.1 {} X\r\ncontent-length: 99999999999\r\n\r\nabc", if plain { 200 } else { 400 })
    })
    .await;
    let url = server.url("/a?b=%20c#d").replace("http://", "http://ada:secret@");
    assert_eq!(probe().await.look(&url).await, alive());
}

#[tokio::test]
async fn a_page_that_moved_for_good_is_where_the_lasting_redirects_lead() {
    let server = HttpServer::start(|path, _| match path {
        "/old" => "HTTP/1.1 301 X\r\nlocation: /newer\r\n\r\n".to_owned(),
        "/newer" => "HTTP/1.1 308 X\r\nlocation: new?a=b\r\n\r\n".to_owned(),
        "/new?a=b" => "HTTP/1.1 302 X\r\nlocation: /today\r\n\r\n".to_owned(),
        "/today" => "HTTP/1.1 301 X\r\nlocation: /end\r\n\r\n".to_owned(),
        "/accents" => "HTTP/1.1 301 X\r\nlocation: /né\r\n\r\n".to_owned(),
        "/long" => format!("HTTP/1.1 301 X\r\nlocation: /{}\r\n\r\n", "a".repeat(3_000)),
        "/to-nothing" => "HTTP/1.1 301 X\r\nlocation: /gone\r\n\r\n".to_owned(),
        "/gone" => "HTTP/1.1 404 X\r\n\r\n".to_owned(),
        "/round" => "HTTP/1.1 301 X\r\nlocation: /round\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n".to_owned(),
    })
    .await;
    let probe = probe().await;
    let moved = |to: &str| Sight::Alive { moved_to: Some(server.url(to).parse().expect("a URL")) };
    assert_eq!(probe.look(&server.url("/old#part")).await, moved("/new?a=b#part"));
    assert_eq!(probe.look(&server.url("/new?a=b")).await, alive(), "that one is for today only");
    assert_eq!(probe.look(&server.url("/accents")).await, moved("/n%C3%A9"));
    assert_eq!(probe.look(&server.url("/long")).await, alive(), "nobody wants that address");
    assert_eq!(probe.look(&server.url("/to-nothing")).await, Sight::Gone(Gone::NotFound));
    let before = server.asked();
    assert_eq!(probe.look(&server.url("/round")).await, Sight::Unclear(Unclear::TooManyRedirects));
    assert_eq!(server.asked() - before, 6, "five redirects are followed");
}

#[tokio::test]
async fn what_is_not_public_is_never_asked_by_whatever_way_it_comes() {
    // Another address of this machine stands for what is inside.
    let inside =
        HttpServer::start_at(Ipv4Addr::new(127, 0, 0, 2).into(), |_, _| "HTTP/1.1 200 X\r\n\r\n".to_owned())
            .await;
    let (to, port) = (inside.url("/"), inside.address().port());
    let leading = HttpServer::start(move |_, _| format!("HTTP/1.1 302 X\r\nlocation: {to}\r\n\r\n")).await;
    let dns = Dns::start(inside.address().ip()).await;
    let probe = Probe::new(settings(&dns).await).expect("TLS can be set up");
    for url in [
        inside.url("/"),
        leading.url("/"),
        format!("http://named.example:{port}/"),
        format!("http://[::ffff:127.0.0.2]:{port}/"),
        format!("http://2130706434:{port}/"),
        format!("http://0x7f.0.0.2:{port}/"),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        "data:text/html,x".to_owned(),
        "//127.0.0.1".to_owned(),
        String::new(),
    ] {
        assert_eq!(probe.look(&url).await, Sight::Unclear(Unclear::NotAllowed), "{url}");
    }
    assert_eq!(inside.asked(), 0);
    // The rule that the product asks by holds back all of this machine.
    let public = Settings { guard: Guard::public(), ..settings(&dns).await };
    let public = Probe::new(public).expect("TLS can be set up");
    assert_eq!(public.look(&leading.url("/")).await, Sight::Unclear(Unclear::NotAllowed));
}

#[tokio::test]
async fn the_address_that_was_vetted_is_the_one_that_is_asked() {
    let server = HttpServer::start(|_, _| "HTTP/1.1 200 X\r\n\r\n".to_owned()).await;
    // The name has the public address the first time and an inner one ever after.
    let dns = Dns::rebinding(HERE, Ipv4Addr::new(127, 0, 0, 2).into()).await;
    let probe = Probe::new(settings(&dns).await).expect("TLS can be set up");
    let url = format!("http://rebinding.example:{}/", server.address().port());
    assert_eq!(probe.look(&url).await, alive());
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn no_such_name_is_told_apart_from_nobody_answering() {
    let dns = Dns::start(HERE).await;
    let probe = Probe::new(settings(&dns).await).expect("TLS can be set up");
    assert_eq!(probe.look("http://missing.example/").await, Sight::Gone(Gone::NoSuchName));
    for name in ["broken.example", "refused.example", "empty.example"] {
        let seen = probe.look(&format!("http://{name}/")).await;
        assert!(matches!(seen, Sight::Unclear(Unclear::Unreachable(_))), "{name}: {seen:?}");
    }
}

#[tokio::test]
async fn what_does_not_answer_is_unclear() {
    let probe = probe().await;
    let closed = HttpServer::start(|_, _| String::new()).await;
    let seen = probe.look(&closed.url("/")).await;
    assert!(matches!(seen, Sight::Unclear(Unclear::Unreachable(_))), "{seen:?}");
    let nobody = SocketAddr::new(HERE, upshelf_testkit::free_port());
    let seen = probe.look(&format!("http://{nobody}/")).await;
    assert!(matches!(seen, Sight::Unclear(Unclear::Unreachable(_))), "{seen:?}");

    let silent = tokio::net::TcpListener::bind((HERE, 0)).await.expect("a port is free");
    let hasty = Settings { timeout: Duration::from_millis(200), ..settings(&Dns::start(HERE).await).await };
    let hasty = Probe::new(hasty).expect("TLS can be set up");
    let address = silent.local_addr().expect("it listens");
    assert_eq!(hasty.look(&format!("http://{address}/")).await, Sight::Unclear(Unclear::TimedOut));
    let endless = HttpServer::start(|_, _| format!("HTTP/1.1 200 X\r\n{}", "a: b\r\n".repeat(100_000))).await;
    let seen = hasty.look(&endless.url("/")).await;
    assert!(matches!(seen, Sight::Unclear(_)), "a head without end: {seen:?}");
}

#[derive(Debug)]
struct Year2100;

impl TimeProvider for Year2100 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(4_102_444_800)))
    }
}

#[tokio::test]
async fn a_certificate_that_has_run_out_says_gone_and_a_strange_one_does_not() {
    let folder = temp_dir();
    certify(folder.path()).expect("certificates can be made");
    let server = TlsServer::start(folder.path()).await;
    let url = server.url.as_str();
    let dns = Dns::start(HERE).await;
    let look = async |settings: Settings| Probe::new(settings).expect("TLS can be set up").look(url).await;
    let mut roots = RootCertStore::empty();
    for authority in
        rustls::pki_types::CertificateDer::pem_file_iter(folder.path().join("authority.pem")).expect("a file")
    {
        roots.add(authority.expect("a certificate")).expect("an authority");
    }
    let trusting = Settings { roots, ..settings(&dns).await };
    assert_eq!(look(trusting.clone()).await, alive());
    let late = Settings { time: Arc::new(Year2100), ..trusting };
    assert_eq!(look(late).await, Sight::Gone(Gone::CertificateExpired));
    let seen = look(settings(&dns).await).await;
    assert!(matches!(seen, Sight::Unclear(Unclear::Tls(_))), "nobody we know has signed it: {seen:?}");
}
