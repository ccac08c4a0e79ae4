use anyhow::Result;
use upshelf_store::{
    CollectionChange, CollectionFilter, CollectionId, MemberId, NewCollection, PageRequest, ResourceId,
};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

async fn collection(f: &Fixture, member_id: MemberId, title: &str, public: bool) -> CollectionId {
    let new = NewCollection {
        id: f.clock.id(),
        member_id,
        title: title.to_owned(),
        description: String::new(),
        public,
        created_at: f.now(),
    };
    let mut tx = f.write().await;
    tx.add_collection(&new).await.expect("a collection can be added");
    tx.commit().await.expect("a commit succeeds");
    new.id
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn private_collections_are_listed_for_their_owner_only(f: &Fixture) -> Result<()> {
        let (ada, bob) = (f.member("Ada").await, f.member("Bob").await);
        collection(f, ada, "one", true).await;
        collection(f, ada, "secret", false).await;
        collection(f, bob, "two", true).await;
        let mut tx = f.read().await;
        for (filter, expected) in [
            (CollectionFilter::Public, vec!["two", "one"]),
            (CollectionFilter::PublicOf(ada), vec!["one"]),
            (CollectionFilter::AllOf(ada), vec!["secret", "one"]),
        ] {
            let all = pages(1, async |page| tx.list_collections(filter, page).await).await;
            assert_eq!(all.iter().map(|c| c.title.as_str()).collect::<Vec<_>>(), expected, "{filter:?}");
        }
        Ok(())
    }

    async fn a_collection_changes_where_it_is_told_to(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let id = collection(f, ada, "one", false).await;
        let later = f.pass(60);
        let mut tx = f.write().await;
        let change = CollectionChange { public: Some(true), description: Some("D".into()), title: None };
        assert!(tx.change_collection(id, &change, later).await?);
        let found = tx.find_collection(id).await?.expect("it is there");
        assert_eq!((found.title.as_str(), found.description.as_str(), found.public), ("one", "D", true));
        assert_eq!((found.owner.id, found.owner.username.as_str(), found.changed_at), (ada, "Ada", later));
        assert!(found.created_at < later);

        assert!(tx.remove_collection(id).await?);
        assert_eq!(tx.find_collection(id).await?, None);
        assert!(!tx.remove_collection(id).await?);
        assert!(!tx.change_collection(id, &change, later).await?);
        Ok(())
    }

    async fn resources_stand_in_the_order_in_which_they_were_put_in_and_once(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let id = collection(f, ada, "one", true).await;
        let mut resources: Vec<ResourceId> = Vec::new();
        for i in 0..5 {
            resources.push(f.resource(&format!("https://example.org/{i}"), "T").await);
        }
        resources.reverse();
        let later = f.pass(60);
        let mut tx = f.write().await;
        for resource in &resources {
            assert!(tx.put_collection_item(id, *resource, later).await?);
        }
        assert!(!tx.put_collection_item(id, resources[0], later).await?, "it is in already");
        assert!(!tx.put_collection_item(f.clock.id(), resources[0], later).await?, "no such collection");
        assert!(!tx.put_collection_item(id, f.clock.id(), later).await?, "no such resource");
        let listed = pages(2, async |page| tx.list_collection_items(id, page).await).await;
        assert_eq!(listed.iter().map(|item| item.resource_id).collect::<Vec<_>>(), resources);
        let found = tx.find_collection(id).await?.expect("it is there");
        assert_eq!((found.items, found.changed_at), (5, later));
        assert_eq!(tx.list_collections_holding(resources[3]).await?, [id]);

        assert!(tx.remove_collection_item(id, resources[3], later).await?);
        assert!(!tx.remove_collection_item(id, resources[3], later).await?);
        assert!(tx.list_collections_holding(resources[3]).await?.is_empty());
        assert!(tx.put_collection_item(id, resources[3], later).await?);
        let page = tx.list_collection_items(id, &PageRequest::first(9)).await?;
        assert_eq!(page.items.last().map(|item| item.resource_id), Some(resources[3]));
        Ok(())
    }

    async fn a_removed_resource_is_not_seen_in_collections(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let id = collection(f, ada, "one", true).await;
        let resource = f.resource("https://example.org", "T").await;
        let mut tx = f.write().await;
        assert!(tx.put_collection_item(id, resource, f.now()).await?);
        tx.commit().await?;
        f.removed(resource).await;
        let mut tx = f.read().await;
        assert!(tx.list_collection_items(id, &PageRequest::first(9)).await?.items.is_empty());
        assert_eq!(tx.find_collection(id).await?.map(|found| found.items), Some(0));
        Ok(())
    }
}
