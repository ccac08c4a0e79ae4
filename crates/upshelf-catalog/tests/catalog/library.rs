use anyhow::Result;
use upshelf_catalog::{CategoryNode, Refusal};
use upshelf_store::{PageRequest, ResourceFilter, ResourceSort, Role};
use upshelf_testkit::contract;

use crate::fixture::{Site, refusal};

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn the_tree_counts_what_lies_below_and_knows_every_path(site: &Site) -> Result<()> {
        site.shelve().await;
        let tree = site.catalog.categories().await?;
        let flat: Vec<_> = tree.iter().map(|node| (node.title.as_str(), node.resources, node.children.len())).collect();
        assert_eq!(flat, [("Looms", 2, 0), ("Yarn", 1, 1)]);
        let CategoryNode { title, resources, .. } = &tree[1].children[0];
        assert_eq!((title.as_str(), *resources), ("Wool", 1));
        let wool = site.catalog.category(&tree[1].children[0].slug).await?;
        assert_eq!(wool.path, ["Yarn", "Wool"]);
        assert_eq!(refusal(site.catalog.category("silk").await), Refusal::NotFound("category"));
        let filter = ResourceFilter { category: Some(tree[1].id), tag: None };
        let below = site.catalog.resources(&filter, ResourceSort::Name, &PageRequest::first(9)).await?;
        assert_eq!(below.items.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(), ["Merino"]);
        assert_eq!(below.items[0].categories[0].path, ["Yarn", "Wool"]);
        Ok(())
    }

    async fn an_approved_change_is_seen_at_once_everywhere(site: &Site) -> Result<()> {
        let (ada, curator) = (site.member("ada").await, site.officer("grace", Role::Curator).await);
        let shelf = site.shelve().await;
        let described = async || {
            let popular = site.catalog.popular(10).await?;
            let found = popular.iter().find(|one| one.id == shelf[0]).expect("it is among three");
            anyhow::Ok(found.description.clone())
        };
        assert_eq!(described().await?, "Patterns from punched cards.");
        let suggestion = site.edit(&ada, shelf[0]).await;
        assert_eq!(site.catalog.resource(shelf[0]).await?.open_suggestions, 1);
        site.catalog.approve(&curator, suggestion.id, Some("Shorter.".to_owned())).await?;
        assert_eq!(described().await?, "Patterns.");
        let now = site.catalog.resource(shelf[0]).await?;
        assert_eq!((now.version, now.open_suggestions), (2, 0));

        let history = site.catalog.history(shelf[0], &PageRequest::first(9)).await?.items;
        assert_eq!(history.iter().map(|entry| entry.version).collect::<Vec<_>>(), [2, 1]);
        let cause = history[0].cause.as_ref().expect("the log has it");
        assert_eq!((cause.username.as_deref(), cause.suggestion_id), (Some("grace"), Some(suggestion.id)));
        assert_eq!(cause.reason.as_deref(), Some("Shorter."));
        assert_eq!(history[1].state.description, "Patterns from punched cards.");
        Ok(())
    }

    async fn search_finds_with_typing_errors_and_any_input_will_do(site: &Site) -> Result<()> {
        let shelf = site.shelve().await;
        let found = site.catalog.search("jaquard", 10).await?;
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), [shelf[0]]);
        for odd in ["", "\0", "a\0b", "'; --", "\"", "%", "(", &"x ".repeat(5_000)] {
            site.catalog.search(odd, 10).await?;
        }
        Ok(())
    }

    async fn what_does_not_exist_is_refused(site: &Site) -> Result<()> {
        let nowhere = site.catalog.clock().id();
        assert_eq!(refusal(site.catalog.resource(nowhere).await), Refusal::NotFound("resource"));
        let page = PageRequest::first(9);
        assert_eq!(refusal(site.catalog.history(nowhere, &page).await), Refusal::NotFound("resource"));
        for name in ["nobody", "a\0b", ""] {
            assert_eq!(refusal(site.catalog.profile(name).await), Refusal::NotFound("member"));
        }
        Ok(())
    }
}
