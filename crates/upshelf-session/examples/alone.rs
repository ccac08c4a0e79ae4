//! Sessions without Upshelf: sign in, make a request, refresh, have a token stolen, be told.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use upshelf_session::{Device, Error, MemoryVault, Sessions, Settings};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start: Timestamp = "2026-11-01T12:00:00Z".parse()?;
    let later = start + SignedDuration::from_mins(5);
    let sessions = Sessions::open(MemoryVault::default(), Settings::hardened(), start).await?;
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
