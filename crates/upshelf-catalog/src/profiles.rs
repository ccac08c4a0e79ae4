//! What others read about a member.

use upshelf_store::{Member, MemberId, Store};

use crate::invalidation::of_profile;
use crate::library::unpacked;
use crate::moderation::not_banned;
use crate::names::fold_name;
use crate::regions::profile_key;
use crate::texts::{Bio, DisplayName, Faults};
use crate::views::ProfileView;
use crate::{Catalog, Refusal, Result};

/// What changes in a member's profile; `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfileChanges {
    /// The name that others read.
    pub display_name: Option<String>,
    /// What the member says about themselves, in Markdown.
    pub bio: Option<String>,
}

impl Catalog {
    /// Gives the profile of the member with this name.
    pub async fn profile(&self, username: &str) -> Result<ProfileView> {
        let key = fold_name(username);
        // No name holds a NUL, and PostgreSQL refuses to look for one.
        if key.contains('\0') {
            return Err(Refusal::NotFound("member").into());
        }
        let found = self.store().read().await?.find_member_named(&key).await?;
        self.profile_of(found.ok_or(Refusal::NotFound("member"))?.id).await
    }

    async fn profile_of(&self, id: MemberId) -> Result<ProfileView> {
        let found = match self.is_coherent() {
            true => {
                let store = self.store().clone();
                let load = move |_| async move { read_profile(&store, id).await };
                let region = &self.inner.regions.profiles;
                Option::clone(&*region.get_or_load(&profile_key(id), load).await.map_err(unpacked)?)
            }
            // Another process may have changed it a moment ago.
            false => read_profile(self.store(), id).await?,
        };
        Ok(found.ok_or(Refusal::NotFound("member"))?)
    }

    /// Changes a member's own profile.
    pub async fn change_profile(&self, member: &Member, changes: &ProfileChanges) -> Result<ProfileView> {
        not_banned(member)?;
        let mut faults = Faults::default();
        let display_name = faults.take_some(changes.display_name.as_deref().map(DisplayName::try_from));
        let bio = faults.take_some(changes.bio.as_deref().map(Bio::try_from));
        faults.finish()?;
        let mut tx = self.store().write().await?;
        tx.change_profile(
            member.id,
            display_name.as_ref().map(DisplayName::as_str),
            bio.as_ref().map(Bio::as_str),
        )
        .await?;
        let stale = self.stale(&mut tx, of_profile(member.id)).await?;
        tx.commit().await?;
        self.inner.faces.forget(member.id);
        self.forget(stale).await;
        self.profile_of(member.id).await
    }
}

async fn read_profile(store: &Store, id: MemberId) -> Result<Option<ProfileView>> {
    let mut tx = store.read().await?;
    let Some(member) = tx.find_member(id).await? else { return Ok(None) };
    let counted = tx.count_contributions(id).await?;
    Ok(Some(ProfileView {
        id,
        username: member.username,
        display_name: member.display_name,
        bio: member.bio,
        role: member.role,
        joined_at: member.joined_at,
        suggestions: counted.suggestions,
        approved: counted.approved,
        collections: counted.collections,
    }))
}
