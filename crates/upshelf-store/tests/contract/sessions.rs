//! The store keeps the promises of a vault, which stand in `upshelf-session`.

use std::any::Any;
use std::cell::RefCell;

use upshelf_session::contract::Fixture as Vault;
use upshelf_store::Store;

use crate::fixture::Fixture;

thread_local! {
    /// What the store of this thread's test stands on: it goes away with the thread.
    static PLACE: RefCell<Option<Box<dyn Any + Send + Sync>>> = const { RefCell::new(None) };
}

async fn vault(fixture: Fixture) -> Vault<Store> {
    let (ada, bob) = (fixture.member("Ada").await, fixture.member("Bob").await);
    PLACE.set(Some(fixture.place));
    Vault { vault: fixture.store, ada: ada.0, bob: bob.0 }
}

upshelf_session::vault_contract! {
    sqlite => vault(Fixture::sqlite().await).await,
    postgres => vault(Fixture::postgres().await).await,
}
