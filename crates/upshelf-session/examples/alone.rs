//! Sessions without Upshelf: sign in, make a request, refresh, have a token stolen, be told. Given `redis://HOST:PORT`, what the
//! vault says is shared there.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upshelf_redis::Redis;
use upshelf_session::{Device, Error, MemoryVault, Sessions, Settings};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start: Timestamp = "2026-11-01T12:00:00Z".parse()?;
    let later = start + SignedDuration::from_mins(5);
    let (vault, settings) = (MemoryVault::default(), Settings::hardened());
    let sessions = match std::env::args().nth(1) {
        Some(address) => {
            let redis = upshelf_redis::Settings::new(address.parse()?);
            let redis = Redis::open(redis, &TaskTracker::new(), CancellationToken::new());
            // Until it is connected, the vault is asked.
            let mut health = redis.watch_health();
            let _ = timeout(Duration::from_secs(1), health.wait_for(|health| health.is_up())).await;
            Sessions::open_shared(vault, settings, &redis, start).await?
        }
        None => Sessions::open(vault, settings, start).await?,
    };
    let phone = Device::new(Some("192.0.2.7".parse()?), Some("A phone"));

    let first = sessions.start(Uuid::from_u128(1), &phone, start).await?;
    let identity = sessions.check(first.access_token.expose_secret(), start).await?;
    println!("member {} is signed in until {}", identity.member_id, identity.expires_at);

    let second = sessions.refresh(first.refresh_token.expose_secret(), &phone, start).await?;
    println!("refreshed; open sessions: {}", sessions.list(identity.member_id, start).await?.len());

    match sessions.refresh(first.refresh_token.expose_secret(), &Device::default(), later).await {
        Err(Error::Reused { session_id, .. }) => println!("a copied token came back; {session_id} has ended"),
        other => println!("not expected: {other:?}"),
    }
    let refused = sessions.check(second.access_token.expose_secret(), later).await;
    println!("and so its access token says: {refused:?}");
    Ok(())
}
