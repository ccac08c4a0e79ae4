//! The vault in memory keeps the promises of a vault.

use upshelf_session::MemoryVault;
use upshelf_session::contract::Fixture;
use uuid::Uuid;

upshelf_session::vault_contract! {
    memory => Fixture { vault: MemoryVault::default(), ada: Uuid::from_u128(0xada), bob: Uuid::from_u128(0xb0b) },
}
