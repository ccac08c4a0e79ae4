use anyhow::Result;
use upshelf_store::{
    Action, Actor, Category, CategoryId, ChangedResource, Documents, Error, Json, List, LogFilter,
    NewLogEntry, NewResource, PageRequest, Placement, ResourceFilter, ResourceId, ResourceSort,
    ResourceState, ResourceStatus, ResourceVersion, Standing, Unique,
};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

async fn list(f: &Fixture, slug: &str) -> List {
    let list = List {
        id: f.clock.id(),
        slug: slug.to_owned(),
        title: slug.to_uppercase(),
        version: 1,
        created_at: f.pass(1),
        changed_at: f.now(),
    };
    let mut tx = f.write().await;
    tx.add_list(&list).await.expect("the slug is free");
    tx.commit().await.expect("a commit succeeds");
    list
}

/// A list with the categories Top, Top / Below and Other.
async fn tree(f: &Fixture) -> (List, [CategoryId; 3]) {
    let list = list(f, "things").await;
    let ids: [CategoryId; 3] = [f.clock.id(), f.clock.id(), f.clock.id()];
    let category = |at: usize, parent_id, slug: &str| Category {
        id: ids[at],
        list_id: list.id,
        parent_id,
        position: i64::try_from(at).expect("small"),
        title: slug.to_owned(),
        slug: slug.to_owned(),
    };
    let mut tx = f.write().await;
    tx.add_categories(&[
        category(0, None, "top"),
        category(1, Some(ids[0]), "below"),
        category(2, None, "other"),
    ])
    .await
    .expect("the slugs are free");
    tx.commit().await.expect("a commit succeeds");
    (list, ids)
}

async fn place(f: &Fixture, resource_id: ResourceId, category_id: CategoryId) {
    let mut tx = f.write().await;
    let position = tx.next_position(category_id).await.expect("an answer");
    tx.place(&[Placement { resource_id, category_id, position }]).await.expect("it is placed");
    tx.commit().await.expect("a commit succeeds");
}

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn two_resources_never_share_a_url(f: &Fixture) -> Result<()> {
        f.resource("https://a.example", "A").await;
        let mut tx = f.write().await;
        let again = NewResource {
            id: f.clock.id(),
            url: "https://a.example/".into(),
            url_key: "https://a.example".into(),
            title: "Again".into(),
            description: String::new(),
            added_by: None,
            added_at: f.now(),
        };
        assert!(matches!(tx.add_resources(&[again]).await, Err(Error::Taken(Unique::Url))));
        Ok(())
    }

    async fn a_change_raises_the_version_and_is_found_under_the_new_url(f: &Fixture) -> Result<()> {
        let id = f.resource("https://a.example", "A").await;
        let mut tx = f.write().await;
        let changed = ChangedResource {
            url: "https://b.example".into(),
            url_key: "https://b.example".into(),
            title: "B".into(),
            description: "is B".into(),
            status: ResourceStatus::Live,
        };
        assert_eq!(tx.change_resource(id, &changed, f.pass(5)).await?, Some(2));
        assert_eq!(tx.change_resource(f.clock.id(), &changed, f.now()).await?, None);
        let found = tx.find_resource_at("https://b.example").await?.expect("it has the new URL");
        assert_eq!((found.id, found.title.as_str(), found.version), (id, "B", 2));
        assert_eq!(found.changed_at, f.now());
        assert!(tx.find_resource_at("https://a.example").await?.is_none());
        assert_eq!(tx.lock_resource(id).await?.map(|found| found.version), Some(2));
        assert_eq!(tx.list_url_keys().await?, [("https://b.example".to_owned(), id, ResourceStatus::Live)]);
        Ok(())
    }

    async fn every_order_shows_each_live_resource_once(f: &Fixture) -> Result<()> {
        let mut ids = Vec::new();
        for (number, title) in ["beta", "Alpha", "gamma", "Écume", "alpha", "zeta", "eta"].iter().enumerate() {
            if number % 2 == 0 {
                f.pass(60);
            }
            ids.push(f.resource(&format!("https://{number}.example"), title).await);
        }
        f.removed(ids[6]).await;
        let mut tx = f.read().await;
        for sort in ResourceSort::ALL {
            let filter = ResourceFilter::default();
            let listed = pages(2, async |page| tx.list_resources(&filter, *sort, page).await).await;
            let mut listed: Vec<_> = listed.into_iter().map(|one| one.id).collect();
            if *sort == ResourceSort::New {
                assert_eq!(listed.first(), Some(&ids[5]));
            }
            listed.sort();
            assert_eq!(listed, ids[..6], "{sort}");
        }
        assert_eq!(tx.count_resources().await?, 6);
        let asked = [ids[3], f.clock.id(), ids[0]];
        let found: Vec<_> = tx.list_resources_of(&asked).await?.into_iter().map(|one| one.id).collect();
        assert_eq!(found, [ids[3], ids[0]]);
        Ok(())
    }

    async fn a_category_shows_what_is_placed_further_down(f: &Fixture) -> Result<()> {
        let (_, [top, below, other]) = tree(f).await;
        let (one, two, three) = (
            f.resource("https://1.example", "one").await,
            f.resource("https://2.example", "two").await,
            f.resource("https://3.example", "three").await,
        );
        place(f, one, top).await;
        place(f, two, below).await;
        place(f, two, other).await;
        place(f, three, other).await;
        let mut tx = f.write().await;
        let mut listed = async |category| {
            let filter = ResourceFilter { category: Some(category), tag: None };
            let page = PageRequest::first(9);
            let page = tx.list_resources(&filter, ResourceSort::Name, &page).await.expect("a page");
            page.items.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(listed(top).await, [one, two]);
        assert_eq!(listed(below).await, [two]);
        assert_eq!(listed(other).await, [three, two]);
        let counts: Vec<_> = tx.list_categories().await?.into_iter().map(|row| row.resources).collect();
        assert_eq!(counts, [1, 1, 2]);
        let places: Vec<_> =
            tx.list_placements_of(&[two]).await?.into_iter().map(|one| one.category_id).collect();
        assert_eq!(places, [below, other]);
        assert!(tx.unplace(two, other).await? && !tx.unplace(two, other).await?);
        Ok(())
    }

    async fn the_tree_keeps_its_order_and_drops_what_is_empty(f: &Fixture) -> Result<()> {
        let (list, [top, below, other]) = tree(f).await;
        let one = f.resource("https://1.example", "one").await;
        place(f, one, below).await;
        let mut tx = f.write().await;
        tx.move_categories(&[(other, 0), (top, 1), (below, 2)]).await?;
        let order: Vec<_> = tx.list_categories().await?.into_iter().map(|row| row.category.id).collect();
        assert_eq!(order, [other, top, below]);
        assert_eq!(tx.find_category(below).await?.and_then(|found| found.parent_id), Some(top));
        assert_eq!(tx.find_category_by_slug("other").await?.map(|found| found.id), Some(other));
        assert_eq!(tx.remove_empty_categories(list.id, &[other]).await?, 0);
        assert_eq!(tx.remove_empty_categories(list.id, &[]).await?, 1);
        tx.unplace(one, below).await?;
        // The parent goes once its child is gone.
        assert_eq!(tx.remove_empty_categories(list.id, &[]).await?, 2);
        assert_eq!(tx.list_placements(list.id).await?, []);
        Ok(())
    }

    async fn tags_are_put_counted_and_forgotten(f: &Fixture) -> Result<()> {
        let (one, two) = (f.resource("https://1.example", "one").await, f.resource("https://2.example", "two").await);
        let tag = |slug: &str| (slug.to_owned(), slug.to_uppercase());
        let mut tx = f.write().await;
        tx.put_tags(one, &[tag("rust"), tag("web")], f.now()).await?;
        tx.put_tags(two, &[tag("rust")], f.now()).await?;
        let counted: Vec<_> = tx.list_tags().await?.into_iter().map(|tag| (tag.slug, tag.resources)).collect();
        assert_eq!(counted, [("rust".to_owned(), 2), ("web".to_owned(), 1)]);
        let filter = ResourceFilter { category: None, tag: Some("web".into()) };
        let listed = tx.list_resources(&filter, ResourceSort::New, &PageRequest::first(9)).await?;
        assert_eq!(listed.items.iter().map(|one| one.id).collect::<Vec<_>>(), [one]);
        tx.put_tags(one, &[tag("rust")], f.now()).await?;
        assert_eq!(tx.list_tags_of(&[one]).await?, [(one, "rust".to_owned())]);
        assert_eq!(tx.remove_unused_tags().await?, 1);
        Ok(())
    }

    async fn a_list_keeps_its_documents_byte_by_byte(f: &Fixture) -> Result<()> {
        let list = list(f, "things").await;
        let bytes = b"\xEF\xBB\xBF# Things\r\n\0\xFF".to_vec();
        let mut tx = f.write().await;
        assert_eq!(tx.lock_documents(list.id).await?, Documents::default());
        let both = Documents { imported: Some(bytes.clone()), document: Some(bytes.clone()) };
        tx.put_documents(list.id, &both, f.pass(1)).await?;
        assert_eq!(tx.documents(list.id).await?, both);
        tx.put_document(list.id, b"# Other", f.pass(1)).await?;
        let now = tx.documents(list.id).await?;
        assert_eq!((now.imported, now.document.as_deref()), (Some(bytes), Some(&b"# Other"[..])));
        let found = tx.find_list("things").await?.expect("it is there");
        assert_eq!((found.version, found.changed_at), (3, f.now()));
        assert_eq!(tx.list_lists().await?.len(), 1);
        assert!(matches!(tx.add_list(&List { id: f.clock.id(), ..found }).await, Err(Error::Taken(Unique::List))));
        Ok(())
    }

    async fn the_log_and_the_versions_are_listed_newest_first(f: &Fixture) -> Result<()> {
        let ada = f.member("ada").await;
        let resource = f.resource("https://1.example", "one").await;
        let mut tx = f.write().await;
        for version in 1..=5_i64 {
            let log = NewLogEntry {
                id: f.clock.id(),
                at: f.pass(1),
                actor: Actor::Member,
                member_id: Some(ada),
                action: Action::Approved,
                suggestion_id: None,
                resource_id: Some(resource),
                rule: Some(serde_json::json!({ "rule": "edit" })),
                standing: Some(Standing { up: version, ..Standing::default() }),
                before: None,
                after: Some(serde_json::json!({ "version": version })),
                reason: None,
            };
            tx.add_log(&log).await?;
            let state = ResourceState {
                url: "https://1.example".into(),
                title: format!("one {version}"),
                description: String::new(),
                category_ids: vec![f.clock.id()],
                tags: vec!["rust".into()],
                status: ResourceStatus::Live,
            };
            let remembered =
                ResourceVersion { version, at: log.at, log_id: Some(log.id), state: Json(state), undo: None };
            tx.add_versions(&[(resource, remembered)]).await?;
        }
        let filter = LogFilter { resource: Some(resource), suggestion: None };
        let log = pages(2, async |page| tx.list_log(&filter, page).await).await;
        assert_eq!(log.len(), 5);
        assert!(log.is_sorted_by_key(|entry| std::cmp::Reverse(entry.id)));
        assert_eq!(log[0].username.as_deref(), Some("ada"));
        assert_eq!(log[0].after.as_ref().map(|after| after.0["version"].clone()), Some(5.into()));
        let elsewhere = LogFilter { resource: Some(f.clock.id()), suggestion: None };
        assert!(tx.list_log(&elsewhere, &PageRequest::first(9)).await?.items.is_empty());
        let versions = pages(2, async |page| tx.list_versions(resource, page).await).await;
        assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [5, 4, 3, 2, 1]);
        assert_eq!(tx.find_version(resource, 2).await?.map(|one| one.state.0.title), Some("one 2".into()));
        assert!(tx.find_version(resource, 9).await?.is_none());
        Ok(())
    }
}
