use std::time::Duration;

use anyhow::Result;
use upshelf_catalog::{API_KEY_PREFIX, News, Refusal};
use upshelf_store::{PageRequest, Role, Scope};
use upshelf_testkit::contract;

use crate::fixture::{Site, refusal};

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn a_key_signs_in_until_it_is_taken_back(site: &Site) -> Result<()> {
        let admin = site.officer("ada", Role::Admin).await;
        let catalog = &site.catalog;
        let (key, token) = catalog.add_api_key(&admin, "Bot", &[Scope::Write, Scope::Read, Scope::Write]).await?;
        assert!(token.starts_with(API_KEY_PREFIX) && token.len() > 40);
        assert_eq!(key.scopes, [Scope::Read, Scope::Write]);
        let (member, _, scopes) = catalog.find_api_key(&token).await?.expect("it is valid");
        assert_eq!(member.id, admin.id);
        assert!(scopes.may(Scope::Write) && !scopes.may(Scope::Admin));
        for wrong in ["", "ups_", "ups_wrong", &token[4..], &format!("{token}x"), "ups_\0"] {
            assert!(catalog.find_api_key(wrong).await?.is_none(), "{wrong:?}");
        }
        site.pass(Duration::from_secs(60));
        catalog.find_api_key(&token).await?;
        let listed = catalog.api_keys(&admin, &PageRequest::first(9)).await?.items;
        assert_eq!(listed[0].last_used_at, Some(catalog.clock().now()));
        catalog.revoke_api_key(&admin, key.id).await?;
        assert!(catalog.find_api_key(&token).await?.is_none());
        assert_eq!(refusal(catalog.revoke_api_key(&admin, key.id).await), Refusal::NotFound("API key"));
        Ok(())
    }

    async fn keys_are_for_admins_and_end_with_a_ban(site: &Site) -> Result<()> {
        let (ada, curator) = (site.officer("ada", Role::Admin).await, site.officer("grace", Role::Curator).await);
        let admin = site.officer("joan", Role::Admin).await;
        let catalog = &site.catalog;
        let refused = refusal(catalog.add_api_key(&curator, "Bot", &[Scope::Read]).await);
        assert_eq!(refused, Refusal::NotAllowed("admin"));
        assert!(matches!(refusal(catalog.add_api_key(&ada, "Bot", &[]).await), Refusal::Invalid(_)));
        let (_, token) = catalog.add_api_key(&ada, "Bot", &[Scope::Admin]).await?;
        catalog.ban(&admin, ada.id, "leaves").await?;
        assert!(catalog.find_api_key(&token).await?.is_none());
        Ok(())
    }

    async fn a_key_holds_for_whom_it_let_in_until_it_or_they_are_less(site: &Site) -> Result<()> {
        let (ada, joan) = (site.officer("ada", Role::Admin).await, site.officer("joan", Role::Admin).await);
        let catalog = &site.catalog;
        let mut heard = catalog.hear_keys().await;
        let (key, _) = catalog.add_api_key(&ada, "Bot", &[Scope::Read]).await?;
        let (other, _) = catalog.add_api_key(&ada, "Other", &[Scope::Read]).await?;
        assert!(catalog.does_api_key_hold(key.id, Role::Admin).await?);
        catalog.revoke_api_key(&joan, key.id).await?;
        assert_eq!(heard.next().await, Some(News::Keys(ada.id)));
        assert!(!catalog.does_api_key_hold(key.id, Role::Admin).await?);
        catalog.change_role(&joan, ada.id, Role::Curator).await?;
        assert_eq!(heard.next().await, Some(News::Keys(ada.id)));
        assert!(!catalog.does_api_key_hold(other.id, Role::Admin).await?);
        assert!(catalog.does_api_key_hold(other.id, Role::Curator).await?, "who came in since is no more");
        catalog.ban(&joan, ada.id, "leaves").await?;
        assert_eq!(heard.next().await, Some(News::Keys(ada.id)));
        assert!(!catalog.does_api_key_hold(other.id, Role::Curator).await?);
        Ok(())
    }

    async fn the_database_holds_no_token(site: &Site) -> Result<()> {
        let admin = site.officer("ada", Role::Admin).await;
        let (key, token) = site.catalog.add_api_key(&admin, "Bot", &[Scope::Read]).await?;
        let shown = format!("{key:?}");
        assert!(!shown.contains(&token[4..]));
        let secret = token.trim_start_matches(API_KEY_PREFIX);
        assert!(site.catalog.store().read().await?.find_api_key(secret).await?.is_none());
        assert!(site.catalog.store().read().await?.find_api_key(&token).await?.is_none());
        Ok(())
    }
}
