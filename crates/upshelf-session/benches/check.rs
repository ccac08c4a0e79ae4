//! What checking an access token costs: remembered, and each time anew.

use divan::Bencher;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::runtime::{Builder, Runtime};
use upshelf_session::{Device, MemoryVault, Sessions, Settings, Tokens};
use uuid::Uuid;

const NOW: Timestamp = Timestamp::constant(1_767_600_000, 0);

fn main() {
    divan::main();
}

fn signed_in(settings: Settings) -> (Runtime, Sessions<MemoryVault>, Tokens) {
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let (sessions, tokens) = runtime.block_on(async {
        let sessions =
            Sessions::open(MemoryVault::default(), settings, NOW).await.expect("memory does not fail");
        let tokens = sessions.start(Uuid::from_u128(1), &Device::default(), NOW).await;
        (sessions, tokens.expect("memory does not fail"))
    });
    (runtime, sessions, tokens)
}

fn check(bencher: Bencher, settings: Settings) {
    let (runtime, sessions, tokens) = signed_in(settings);
    let token = tokens.access_token.expose_secret();
    bencher.bench_local(|| runtime.block_on(sessions.check(token, NOW)));
}

#[divan::bench]
fn token_and_session_remembered(bencher: Bencher) {
    check(bencher, Settings::default());
}

#[divan::bench]
fn token_remembered_session_asked_for(bencher: Bencher) {
    check(bencher, Settings { trust_ttl: SignedDuration::ZERO, ..Settings::default() });
}

#[divan::bench]
fn nothing_remembered(bencher: Bencher) {
    check(bencher, Settings { remembered: 0, ..Settings::default() });
}

#[divan::bench]
fn refresh(bencher: Bencher) {
    let (runtime, sessions, mut tokens) = signed_in(Settings::default());
    bencher.bench_local(move || {
        let token = tokens.refresh_token.expose_secret();
        tokens = runtime.block_on(sessions.refresh(token, &Device::default(), NOW)).expect("it is current");
    });
}
