use anyhow::Result;
use upshelf_store::{Error, NewMember, Role, Unique};
use upshelf_testkit::contract;

use crate::fixture::{Fixture, pages};

contract! {
    parts { sqlite => Fixture::sqlite().await, postgres => Fixture::postgres().await }

    async fn names_and_addresses_are_unique(f: &Fixture) -> Result<()> {
        f.member("Ada").await;
        let again = |username_key: &str, email_key: &str| NewMember {
            id: f.clock.id(),
            username: "ADA".into(),
            username_key: username_key.into(),
            email: "other@example.org".into(),
            email_key: email_key.into(),
            role: Role::Member,
            password_hash: String::new(),
            joined_at: f.now(),
        };
        let taken = async |member: NewMember| f.write().await.add_member(&member).await;
        assert!(matches!(taken(again("ada", "other")).await, Err(Error::Taken(Unique::Username))));
        assert!(matches!(taken(again("other", "ada@example.org")).await, Err(Error::Taken(Unique::Email))));
        assert!(taken(again("other", "other")).await.is_ok());
        Ok(())
    }

    async fn a_member_is_found_by_id_name_and_login(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.read().await;
        assert_eq!(tx.find_member(ada).await?.map(|found| found.username), Some("Ada".into()));
        assert_eq!(tx.find_member_named("ada").await?.map(|found| found.id), Some(ada));
        for login in ["ada", "ada@example.org"] {
            let (found, hash) = tx.find_login(login).await?.expect("she can sign in");
            assert_eq!((found.id, hash.as_str()), (ada, "$argon2id$unused"));
        }
        assert!(tx.find_login("eve").await?.is_none());
        assert!(tx.find_member(f.clock.id()).await?.is_none());
        Ok(())
    }

    async fn roles_profiles_passwords_and_bans_change(f: &Fixture) -> Result<()> {
        let ada = f.member("Ada").await;
        let mut tx = f.write().await;
        assert!(tx.change_role(ada, Role::Admin).await?);
        assert!(tx.change_profile(ada, Some("Ada L."), None).await?);
        assert!(tx.change_profile(ada, None, Some("bio")).await?);
        assert!(tx.change_password_hash(ada, "new").await?);
        assert!(tx.change_ban(ada, Some(f.now())).await?);
        let found = tx.find_member(ada).await?.expect("she is there");
        assert_eq!((found.display_name.as_str(), found.bio.as_str(), found.role), ("Ada L.", "bio", Role::Admin));
        assert_eq!(found.banned_at, Some(f.now()));
        assert_eq!(tx.find_password_hash(ada).await?.as_deref(), Some("new"));
        assert_eq!(tx.count_members(Role::Admin).await?, (1, 1));
        let nobody = f.clock.id();
        assert!(!tx.change_role(nobody, Role::Admin).await? && !tx.change_ban(nobody, None).await?);
        assert!(!tx.change_profile(nobody, None, None).await? && !tx.change_password_hash(nobody, "").await?);
        Ok(())
    }

    async fn members_are_listed_as_they_joined(f: &Fixture) -> Result<()> {
        let mut ids = Vec::new();
        for name in ["ada", "bob", "eve", "dan", "fay"] {
            ids.push(f.member(name).await);
        }
        let mut tx = f.read().await;
        let listed = pages(2, async |page| tx.list_members(page).await).await;
        assert_eq!(listed.iter().map(|member| member.id).collect::<Vec<_>>(), ids);
        assert_eq!(tx.list_members_of(&ids[1..3]).await?.len(), 2);
        assert_eq!(tx.list_members_of(&[]).await?.len(), 0);
        Ok(())
    }

    async fn a_counted_setting_counts_what_is_committed(f: &Fixture) -> Result<()> {
        for expected in 1..=2 {
            let mut tx = f.write().await;
            assert_eq!(tx.count_setting("changes").await?, expected);
            tx.commit().await?;
        }
        let mut taken_back = f.write().await;
        assert_eq!(taken_back.count_setting("changes").await?, 3);
        drop(taken_back);
        assert_eq!(f.write().await.count_setting("changes").await?, 3);
        Ok(())
    }

    async fn a_kept_setting_stays_and_a_put_one_is_replaced(f: &Fixture) -> Result<()> {
        let mut tx = f.write().await;
        assert_eq!(tx.find_setting("salt").await?, None);
        assert_eq!(tx.keep_setting("salt", "one").await?, "one");
        assert_eq!(tx.keep_setting("salt", "two").await?, "one");
        tx.put_setting("salt", "three").await?;
        assert_eq!(tx.find_setting("salt").await?.as_deref(), Some("three"));
        Ok(())
    }
}
