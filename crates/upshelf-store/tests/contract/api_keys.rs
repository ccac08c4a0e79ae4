use anyhow::Result;
use upshelf_store::{MemberId, NewApiKey, PageRequest, Scope};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

fn key(f: &Fixture, member_id: MemberId, token_hash: &str) -> NewApiKey {
    NewApiKey {
        id: f.clock.id(),
        member_id,
        name: "robot".to_owned(),
        token_hash: token_hash.to_owned(),
        scopes: vec![Scope::Read, Scope::Write],
        created_at: f.now(),
    }
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn a_key_is_found_by_its_token_until_it_is_taken_back(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let new = key(f, ada, "hash");
        let mut tx = f.write().await;
        tx.add_api_key(&new).await?;
        let found = tx.find_api_key("hash").await?.expect("it is valid");
        assert_eq!((found.id, found.member_id, found.scopes.0), (new.id, ada, new.scopes.clone()));
        assert_eq!(tx.find_api_key("another").await?, None);
        let later = f.pass(1);
        assert_eq!(tx.find_api_key_owner(new.id).await?, Some(ada));
        assert_eq!(tx.revoke_api_key(new.id, later).await?, Some(ada));
        assert_eq!(tx.revoke_api_key(new.id, f.pass(1)).await?, None);
        assert_eq!(tx.find_api_key_owner(new.id).await?, None);
        assert_eq!(tx.find_api_key("hash").await?, None);
        let listed = tx.list_api_keys(&PageRequest::first(9)).await?.items;
        assert_eq!(listed[0].revoked_at, Some(later), "it stays in the list");
        Ok(())
    }

    async fn the_use_of_a_key_is_noted_once_a_minute(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let new = key(f, ada, "hash");
        let mut tx = f.write().await;
        tx.add_api_key(&new).await?;
        let first = f.pass(1);
        let mut seen = Vec::new();
        for now in [first, f.pass(59), f.pass(1)] {
            tx.touch_api_key(new.id, now).await?;
            seen.push(tx.find_api_key("hash").await?.and_then(|found| found.last_used_at));
        }
        assert_eq!(seen, [Some(first), Some(first), Some(f.now())]);
        Ok(())
    }

    async fn keys_are_listed_newest_first_page_by_page(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        let mut expected = Vec::new();
        for i in 0..5 {
            let new = key(f, ada, &format!("hash {i}"));
            tx.add_api_key(&new).await?;
            expected.insert(0, new.id);
        }
        let listed = pages(2, async |page| tx.list_api_keys(page).await).await;
        assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), expected);
        Ok(())
    }
}
