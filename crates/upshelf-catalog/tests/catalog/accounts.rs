use anyhow::Result;
use std::time::Duration;

use upshelf_catalog::{NewAccount, PasswordSettings, Refusal, Settings};
use upshelf_store::{Role, Unique};
use upshelf_testkit::contract;

use crate::fixture::{PASSWORD, SET_UP_CODE, Site, account, refusal};

contract! {
    parts { sqlite => Site::sqlite().await, postgres => Site::postgres().await }

    async fn the_set_up_code_makes_one_admin_and_then_nobody(site: &Site) -> Result<()> {
        let catalog = &site.catalog;
        assert!(catalog.set_up_needed().await?);
        let wrong = refusal(catalog.set_up("open sesame", account("ada")).await);
        assert_eq!(wrong, Refusal::SetUp("This is not the set-up code."));
        let ada = catalog.set_up(SET_UP_CODE, NewAccount { username: "admin".into(), ..account("ada") }).await?;
        assert_eq!((ada.role, ada.username.as_str()), (Role::Admin, "admin"));
        assert!(!catalog.set_up_needed().await?);
        let late = refusal(catalog.set_up(SET_UP_CODE, account("eve")).await);
        assert_eq!(late, Refusal::SetUp("This site is set up."));
        assert!(catalog.login("eve", PASSWORD).await?.is_none());
        Ok(())
    }

    async fn of_many_set_ups_at_once_one_succeeds(site: Site) -> Result<()> {
        let mut set_ups = tokio::task::JoinSet::new();
        for number in 0..8 {
            let catalog = site.reopened(Site::settings());
            set_ups.spawn(async move { catalog.set_up(SET_UP_CODE, account(&format!("ada{number}"))).await.is_ok() });
        }
        let admins = set_ups.join_all().await.into_iter().filter(|made| *made).count();
        assert_eq!(admins, 1);
        assert_eq!(site.catalog.store().read().await?.count_members(Role::Admin).await?, (1, 1));
        Ok(())
    }

    async fn without_a_code_and_once_the_command_line_made_an_admin_nobody_sets_up(site: &Site) -> Result<()> {
        let closed = site.reopened(Settings { set_up_code: None, ..Site::settings() });
        assert!(matches!(refusal(closed.set_up("", account("eve")).await), Refusal::SetUp(_)));
        site.officer("ada", Role::Admin).await;
        let late = refusal(site.catalog.set_up(SET_UP_CODE, account("eve")).await);
        assert_eq!(late, Refusal::SetUp("This site is set up."));
        Ok(())
    }

    async fn every_fault_of_a_new_account_is_told_at_once(site: &Site) -> Result<()> {
        let bad = NewAccount { username: "a".into(), email: "ada".into(), password: "short".into() };
        let Refusal::Invalid(faults) = refusal(site.catalog.register(bad).await) else { panic!("three faults") };
        let fields: Vec<_> = faults.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["username", "email", "password"]);
        let own = NewAccount { password: "ada.lovelace-1".into(), username: "ada.lovelace".into(), ..account("ada") };
        assert!(matches!(refusal(site.catalog.register(own).await), Refusal::Invalid(_)));
        Ok(())
    }

    async fn names_are_unique_without_regard_to_case_and_reserved_ones_are_not_for_strangers(
        site: &Site,
    ) -> Result<()> {
        site.member("Ada").await;
        let twin = NewAccount { email: "other@example.org".into(), ..account("aDa") };
        assert_eq!(refusal(site.catalog.register(twin).await), Refusal::Taken(Unique::Username));
        let twin = NewAccount { email: "ADA@EXAMPLE.ORG".into(), ..account("grace") };
        assert_eq!(refusal(site.catalog.register(twin).await), Refusal::Taken(Unique::Email));
        assert!(matches!(refusal(site.catalog.register(account("Support")).await), Refusal::Invalid(_)));
        assert_eq!(site.officer("support", Role::Curator).await.role, Role::Curator);
        Ok(())
    }

    async fn a_name_or_an_address_in_any_case_and_the_password_sign_in(site: &Site) -> Result<()> {
        let ada = site.member("Ada").await;
        for login in ["ada", "ADA", " Ada ", "ada@example.org", "Ada@Example.ORG"] {
            let found = site.catalog.login(login, PASSWORD).await?;
            assert_eq!(found.map(|member| member.id), Some(ada.id), "{login}");
        }
        for (login, password) in [("ada", "fjord-anvil-94"), ("eve", PASSWORD), ("", ""), ("a\0", PASSWORD)] {
            assert!(site.catalog.login(login, password).await?.is_none(), "{login:?}");
        }
        Ok(())
    }

    async fn only_who_knows_the_password_learns_of_a_ban(site: &Site) -> Result<()> {
        let (admin, eve) = (site.officer("ada", Role::Admin).await, site.member("eve").await);
        site.catalog.ban(&admin, eve.id, "spam").await?;
        assert!(site.catalog.login("eve", "fjord-anvil-94").await?.is_none());
        assert_eq!(refusal(site.catalog.login("eve", PASSWORD).await), Refusal::Banned);
        Ok(())
    }

    async fn a_hash_is_made_anew_at_sign_in_when_costs_were_raised(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        let hash = async || site.catalog.store().read().await?.find_password_hash(ada.id).await;
        let before = hash().await?;
        site.catalog.login("ada", PASSWORD).await?;
        assert_eq!(hash().await?, before, "the costs are the same");
        let costly = PasswordSettings { memory: 128, passes: 2, ..Site::settings().passwords };
        let raised = site.reopened(Settings { passwords: costly, ..Site::settings() });
        assert!(raised.login("ada", "fjord-anvil-94").await?.is_none());
        assert_eq!(hash().await?, before, "a wrong password hardens nothing");
        assert!(raised.login("ada", PASSWORD).await?.is_some());
        let after = hash().await?.expect("she has one");
        assert!(after.starts_with("$argon2id$v=19$m=128,t=2,p=1$"), "{after}");
        assert!(raised.login("ada", PASSWORD).await?.is_some());
        Ok(())
    }

    async fn a_password_changes_only_with_the_current_one(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        let catalog = &site.catalog;
        let wrong = refusal(catalog.change_password(&ada, "fjord-anvil-94", "quartz-violin-7").await);
        assert_eq!(wrong, Refusal::WrongPassword);
        let Refusal::Invalid(faults) = refusal(catalog.change_password(&ada, PASSWORD, "short").await) else {
            panic!("it is too short")
        };
        assert_eq!(faults[0].field, "new_password");
        catalog.change_password(&ada, PASSWORD, "quartz-violin-7").await?;
        assert!(catalog.login("ada", PASSWORD).await?.is_none());
        assert!(catalog.login("ada", "quartz-violin-7").await?.is_some());
        Ok(())
    }

    async fn of_two_changes_of_a_password_at_once_one_is_refused(site: &Site) -> Result<()> {
        let ada = site.member("ada").await;
        let change = async |new| site.catalog.change_password(&ada, PASSWORD, new).await;
        let (one, other) = tokio::join!(change("quartz-violin-7"), change("marble-kettle-8"));
        assert!(one.is_ok() != other.is_ok(), "exactly one was made with the current password");
        let new = if one.is_ok() { "quartz-violin-7" } else { "marble-kettle-8" };
        assert!(site.catalog.login("ada", new).await?.is_some());
        Ok(())
    }

    async fn a_ban_and_a_role_are_seen_at_once_here_and_soon_elsewhere(site: &Site) -> Result<()> {
        let (admin, ada) = (site.officer("grace", Role::Admin).await, site.member("ada").await);
        let elsewhere = site.reopened(Site::settings());
        assert_eq!(site.again(ada.id).await.role, Role::Member);
        elsewhere.find_member(ada.id).await?;
        site.catalog.change_role(&admin, ada.id, Role::Curator).await?;
        assert_eq!(site.again(ada.id).await.role, Role::Curator);
        site.catalog.ban(&admin, ada.id, "").await?;
        assert!(site.again(ada.id).await.banned_at.is_some());
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(5)).await;
        tokio::time::resume();
        assert!(elsewhere.find_member(ada.id).await?.expect("she is there").banned_at.is_some());
        Ok(())
    }

    async fn networks_have_one_name_in_every_process_and_after_a_restart(site: &Site) -> Result<()> {
        let here = site.catalog.origin("192.0.2.1".parse()?).await?;
        let elsewhere = site.reopened(Site::settings()).origin("192.0.2.99".parse()?).await?;
        assert_eq!(here, elsewhere);
        assert!(!here.contains("192"));
        Ok(())
    }
}
