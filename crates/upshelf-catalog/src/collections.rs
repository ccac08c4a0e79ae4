//! Members' own selections. A private one of somebody else does not exist.

use std::sync::Arc;

use upshelf_store::{
    Collection, CollectionChange, CollectionFilter, CollectionId, Member, MemberId, NewCollection, Page,
    PageRequest, ResourceId, ResourceStatus, Tx,
};

use crate::invalidation::of_collection;
use crate::library::unpacked;
use crate::moderation::not_banned;
use crate::regions::{CategoryTree, collection_key};
use crate::texts::{About, Faults, Title};
use crate::views::{CollectionPage, CollectionView, ResourceView};
use crate::{Catalog, Error, Refusal, Result};

/// The most collections that a member can have.
pub const MAX_COLLECTIONS: usize = 100;
/// The most resources that a collection can hold.
pub const MAX_COLLECTION_ITEMS: usize = 500;

/// What a member wants a collection to be; in a change, `None` leaves a value as it is.
#[derive(Clone, Debug, Default)]
pub struct CollectionWish {
    /// Its name; a new one needs it.
    pub title: Option<String>,
    /// What it is for, in Markdown.
    pub description: Option<String>,
    /// Whether others see it; a new one is private without it.
    pub public: Option<bool>,
}

impl CollectionWish {
    fn parse(&self) -> Result<CollectionChange, Refusal> {
        let mut faults = Faults::default();
        let title = faults.take_some(self.title.as_deref().map(Title::try_from));
        let description = faults.take_some(self.description.as_deref().map(About::try_from));
        faults.finish()?;
        Ok(CollectionChange {
            title: title.map(Title::into_string),
            description: description.map(About::into_string),
            public: self.public,
        })
    }
}

/// Which collections somebody asks for.
#[derive(Clone, Debug)]
pub enum CollectionsOf {
    /// Everybody's public ones.
    Everybody,
    /// The viewer's own, private ones included.
    Viewer,
    /// Somebody's, as far as the viewer may see them.
    Member(MemberId),
}

const MISSING: Refusal = Refusal::NotFound("collection");

impl Catalog {
    /// Lists collections, newest first.
    pub async fn collections(
        &self,
        viewer: Option<&Member>,
        whose: CollectionsOf,
        page: &PageRequest,
    ) -> Result<Page<CollectionView>> {
        let filter = match (whose, viewer) {
            (CollectionsOf::Everybody, _) | (CollectionsOf::Viewer, None) => CollectionFilter::Public,
            (CollectionsOf::Viewer, Some(viewer)) => CollectionFilter::AllOf(viewer.id),
            (CollectionsOf::Member(id), Some(viewer)) if viewer.id == id => CollectionFilter::AllOf(id),
            (CollectionsOf::Member(id), _) => CollectionFilter::PublicOf(id),
        };
        let found = self.store().read().await?.list_collections(filter, page).await?;
        Ok(found.map(CollectionView::from))
    }

    /// Gives a collection with its first 100 resources.
    pub async fn collection(&self, viewer: Option<&Member>, id: CollectionId) -> Result<CollectionPage> {
        let page = match self.is_coherent() {
            true => self.cached_page(id).await?,
            // Another process may have made it private a moment ago.
            false => self.page(id).await?,
        };
        let page = page.ok_or(MISSING)?;
        let may_see =
            page.collection.public || viewer.is_some_and(|viewer| viewer.id == page.collection.owner.id);
        if may_see { Ok(page) } else { Err(MISSING.into()) }
    }

    async fn cached_page(&self, id: CollectionId) -> Result<Option<CollectionPage>> {
        let catalog = self.clone();
        let load = move |cx: upshelf_cache::Context| async move {
            let Some(page) = catalog.page(id).await? else { return Ok(None) };
            if !page.collection.public {
                // A private one is nobody else's, and not the cache's either.
                cx.no_store();
            }
            cx.tag(format!("collections-of:{}", page.collection.owner.id));
            cx.tags(page.resources.items.iter().map(|resource| format!("resource:{}", resource.id)));
            Ok::<_, Error>(Some(page))
        };
        let region = &self.inner.regions.collections;
        let hit = region.get_or_load(&collection_key(id), load).await.map_err(unpacked)?;
        Ok(Option::clone(&hit))
    }

    async fn page(&self, id: CollectionId) -> Result<Option<CollectionPage>> {
        let tree = self.categories().await?;
        let mut tx = self.store().read().await?;
        let Some(found) = tx.find_collection(id).await? else { return Ok(None) };
        let resources = self.items(&mut tx, tree, id, &PageRequest::first(PageRequest::MAX)).await?;
        Ok(Some(CollectionPage { collection: found.into(), resources }))
    }

    /// Lists the resources in a collection, in the member's order.
    pub async fn collection_resources(
        &self,
        viewer: Option<&Member>,
        id: CollectionId,
        page: &PageRequest,
    ) -> Result<Page<ResourceView>> {
        let tree = self.categories().await?;
        let mut tx = self.store().read().await?;
        let found = tx.find_collection(id).await?.ok_or(MISSING)?;
        if !found.public && viewer.is_none_or(|viewer| viewer.id != found.owner.id) {
            return Err(MISSING.into());
        }
        self.items(&mut tx, tree, id, page).await
    }

    async fn items(
        &self,
        tx: &mut Tx,
        tree: Arc<CategoryTree>,
        id: CollectionId,
        page: &PageRequest,
    ) -> Result<Page<ResourceView>> {
        let found = tx.list_collection_items(id, page).await?;
        let ids: Vec<ResourceId> = found.items.iter().map(|item| item.resource_id).collect();
        let resources = tx.list_resources_of(&ids).await?;
        let items = self.views_of(tx, tree, resources).await?;
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    /// Makes an empty collection.
    pub async fn add_collection(&self, member: &Member, wish: &CollectionWish) -> Result<CollectionView> {
        not_banned(member)?;
        let wanted = wish.parse()?;
        let title = wanted.title.ok_or_else(|| Refusal::invalid("title", "It is missing."))?;
        let mut tx = self.store().write().await?;
        let most = PageRequest::first(MAX_COLLECTIONS as u32);
        let own = tx.list_collections(CollectionFilter::AllOf(member.id), &most).await?;
        if own.items.len() >= MAX_COLLECTIONS {
            let detail = format!("You have {MAX_COLLECTIONS} collections, which is as many as there can be.");
            return Err(Refusal::invalid("title", detail).into());
        }
        let id = self.clock().id();
        tx.add_collection(&NewCollection {
            id,
            member_id: member.id,
            title,
            description: wanted.description.unwrap_or_default(),
            public: wanted.public.unwrap_or(false),
            created_at: self.clock().now(),
        })
        .await?;
        self.finish(tx, member, id).await
    }

    /// Changes a member's own collection.
    pub async fn change_collection(
        &self,
        member: &Member,
        id: CollectionId,
        wish: &CollectionWish,
    ) -> Result<CollectionView> {
        not_banned(member)?;
        let change = wish.parse()?;
        let mut tx = self.store().write().await?;
        own(&mut tx, member, id).await?;
        tx.change_collection(id, &change, self.clock().now()).await?;
        self.finish(tx, member, id).await
    }

    /// Removes a member's own collection; what is in it stays on the shelf.
    pub async fn remove_collection(&self, member: &Member, id: CollectionId) -> Result<()> {
        let mut tx = self.store().write().await?;
        own(&mut tx, member, id).await?;
        tx.remove_collection(id).await?;
        self.commit_collection(tx, member, id).await
    }

    /// Puts a live resource at the end of a member's own collection; once, however often it is asked.
    pub async fn put_in_collection(
        &self,
        member: &Member,
        id: CollectionId,
        resource: ResourceId,
    ) -> Result<CollectionView> {
        not_banned(member)?;
        let mut tx = self.store().write().await?;
        let collection = own(&mut tx, member, id).await?;
        let found = tx.find_resource(resource).await?.filter(|found| found.status == ResourceStatus::Live);
        if found.is_none() {
            return Err(Refusal::NotFound("resource").into());
        }
        let added = tx.put_collection_item(id, resource, self.clock().now()).await?;
        if added && collection.items >= MAX_COLLECTION_ITEMS as i64 {
            let detail =
                format!("A collection can hold {MAX_COLLECTION_ITEMS} resources, and this one does.");
            return Err(Refusal::invalid("resource_id", detail).into());
        }
        let view = self.finish(tx, member, id).await?;
        if added {
            self.count_save(resource);
        }
        Ok(view)
    }

    /// Takes a resource out of a member's own collection, if it is in it.
    pub async fn take_from_collection(
        &self,
        member: &Member,
        id: CollectionId,
        resource: ResourceId,
    ) -> Result<CollectionView> {
        not_banned(member)?;
        let mut tx = self.store().write().await?;
        own(&mut tx, member, id).await?;
        tx.remove_collection_item(id, resource, self.clock().now()).await?;
        self.finish(tx, member, id).await
    }

    /// Commits a change of a collection and gives what it is now.
    async fn finish(&self, mut tx: Tx, member: &Member, id: CollectionId) -> Result<CollectionView> {
        let changed = tx.find_collection(id).await?.ok_or(MISSING)?;
        self.commit_collection(tx, member, id).await?;
        Ok(changed.into())
    }

    async fn commit_collection(&self, mut tx: Tx, member: &Member, id: CollectionId) -> Result<()> {
        let stale = self.stale(&mut tx, of_collection(id, member.id)).await?;
        tx.commit().await?;
        self.forget(stale).await;
        Ok(())
    }
}

/// Finds a member's own collection.
async fn own(tx: &mut Tx, member: &Member, id: CollectionId) -> Result<Collection, Error> {
    let found = tx.find_collection(id).await?.filter(|found| found.owner.id == member.id);
    Ok(found.ok_or(MISSING)?)
}

impl From<Collection> for CollectionView {
    fn from(collection: Collection) -> CollectionView {
        CollectionView {
            id: collection.id,
            owner: collection.owner.into(),
            title: collection.title,
            description: collection.description,
            public: collection.public,
            items: collection.items,
            created_at: collection.created_at,
            changed_at: collection.changed_at,
        }
    }
}
