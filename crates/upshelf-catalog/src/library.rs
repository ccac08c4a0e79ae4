//! Reading the library: the tree of categories, tags, resources and their history.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use upshelf_cache::LoadError;
use upshelf_store::{
    CategoryId, CountedCategory, LogEntry, LogId, MemberId, Page, PageRequest, Placement, Resource,
    ResourceFilter, ResourceId, ResourceSort, Tag, Tx,
};

use crate::regions::{CATEGORIES, CategoryTree, POPULAR, TAGS, popular_key};
use crate::views::{CategoryNode, CategoryRef, HistoryCause, HistoryEntry, Person, ResourceView};
use crate::{Catalog, Error, Refusal, Result};

impl Catalog {
    /// Gives the tree of categories, list by list.
    pub async fn categories(&self) -> Result<Arc<CategoryTree>> {
        let store = self.store().clone();
        let load = |_| async move { read_tree(&mut store.read().await?).await };
        Ok(self.inner.regions.categories.get_or_load(CATEGORIES, load).await.map_err(unpacked)?.into_arc())
    }

    /// Finds a category by its word in URLs, or by its id as text.
    pub async fn category(&self, word: &str) -> Result<CategoryRef> {
        let found = self.categories().await?.find_named(word).cloned();
        Ok(found.ok_or(Refusal::NotFound("category"))?)
    }

    /// Gives the tags that live resources carry, most used first.
    pub async fn tags(&self) -> Result<Arc<Vec<Tag>>> {
        let store = self.store().clone();
        let load = |_| async move { Ok(store.read().await?.list_tags().await?) };
        Ok(self.inner.regions.tags.get_or_load(TAGS, load).await.map_err(unpacked)?.into_arc())
    }

    /// Gives a resource, live or removed.
    pub async fn resource(&self, id: ResourceId) -> Result<ResourceView> {
        let tree = self.categories().await?;
        let mut tx = self.store().read().await?;
        let resource = tx.find_resource(id).await?.ok_or(Refusal::NotFound("resource"))?;
        let mut views = self.views_of(&mut tx, tree, vec![resource]).await?;
        Ok(views.pop().ok_or(Refusal::NotFound("resource"))?)
    }

    /// Lists live resources.
    pub async fn resources(
        &self,
        filter: &ResourceFilter,
        sort: ResourceSort,
        page: &PageRequest,
    ) -> Result<Page<ResourceView>> {
        let tree = self.categories().await?;
        let mut tx = self.store().read().await?;
        let found = tx.list_resources(filter, sort, page).await?;
        let items = self.views_of(&mut tx, tree, found.items).await?;
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    /// Gives the `limit` (1 to 100) most popular resources.
    pub async fn popular(&self, limit: u32) -> Result<Arc<Vec<ResourceView>>> {
        let limit = limit.clamp(1, PageRequest::MAX);
        let key = popular_key(limit);
        if let Some(hit) = self.inner.regions.popular.peek(&key) {
            return Ok(hit.into_arc());
        }
        let catalog = self.clone();
        let load = move |cx: upshelf_cache::Context| async move {
            cx.tag(POPULAR);
            let page = PageRequest::first(limit);
            Ok::<_, Error>(
                catalog.resources(&ResourceFilter::default(), ResourceSort::Popular, &page).await?.items,
            )
        };
        Ok(self.inner.regions.popular.get_or_load(&key, load).await.map_err(unpacked)?.into_arc())
    }

    /// Finds up to `limit` (at most 50) live resources, best first; typing errors are forgiven.
    pub async fn search(&self, query: &str, limit: u32) -> Result<Vec<ResourceView>> {
        // PostgreSQL refuses to look for a NUL, and nothing on the shelf holds one.
        let query = query.replace('\0', " ");
        let tree = self.categories().await?;
        let mut tx = self.store().read().await?;
        let ids = tx.search_knowing(&self.inner.vocabulary, &query, limit).await?;
        let found = tx.list_resources_of(&ids).await?;
        self.views_of(&mut tx, tree, found).await
    }

    /// Lists what a resource was, newest version first, and what made it so.
    pub async fn history(&self, id: ResourceId, page: &PageRequest) -> Result<Page<HistoryEntry>> {
        let mut tx = self.store().read().await?;
        if tx.find_resource(id).await?.is_none() {
            return Err(Refusal::NotFound("resource").into());
        }
        let versions = tx.list_versions(id, page).await?;
        let ids: Vec<LogId> = versions.items.iter().filter_map(|version| version.log_id).collect();
        let mut causes: HashMap<LogId, LogEntry> =
            tx.list_log_of(&ids).await?.into_iter().map(|entry| (entry.id, entry)).collect();
        Ok(versions.map(|version| HistoryEntry {
            version: version.version,
            at: version.at,
            state: version.state.0,
            cause: version.log_id.and_then(|id| causes.remove(&id)).map(HistoryCause::from),
        }))
    }

    /// Makes resources what people see of them, in the same order. The tree is asked for before the transaction begins:
    /// its loader would wait for a connection that the transaction may be holding.
    pub(crate) async fn views_of(
        &self,
        tx: &mut Tx,
        tree: Arc<CategoryTree>,
        resources: Vec<Resource>,
    ) -> Result<Vec<ResourceView>> {
        let ids: Vec<ResourceId> = resources.iter().map(|resource| resource.id).collect();
        let placements = tx.list_placements_of(&ids).await?;
        // Between an import's commit and its invalidation the tree may be older than what is placed in it.
        let is_known = |placement: &Placement| tree.find(placement.category_id).is_some();
        let tree = match placements.iter().all(is_known) {
            true => tree,
            false => Arc::new(read_tree(tx).await?),
        };
        let mut categories: HashMap<ResourceId, Vec<CategoryRef>> = HashMap::new();
        for placement in placements {
            if let Some(category) = tree.find(placement.category_id) {
                categories.entry(placement.resource_id).or_default().push(category.clone());
            }
        }
        let mut tags: HashMap<ResourceId, Vec<String>> = HashMap::new();
        for (resource, tag) in tx.list_tags_of(&ids).await? {
            tags.entry(resource).or_default().push(tag);
        }
        let open: HashMap<ResourceId, i64> = tx.count_open_suggestions_of(&ids).await?.into_iter().collect();
        let people: BTreeSet<MemberId> = resources.iter().filter_map(|resource| resource.added_by).collect();
        let people: Vec<MemberId> = people.into_iter().collect();
        let people: HashMap<MemberId, Person> = tx
            .list_members_of(&people)
            .await?
            .into_iter()
            .map(|member| (member.id, Person { id: member.id, username: member.username }))
            .collect();
        let view = |resource: Resource| ResourceView {
            categories: categories.remove(&resource.id).unwrap_or_default(),
            tags: tags.remove(&resource.id).unwrap_or_default(),
            open_suggestions: open.get(&resource.id).copied().unwrap_or_default(),
            added_by: resource.added_by.and_then(|id| people.get(&id).cloned()),
            id: resource.id,
            url: resource.url,
            title: resource.title,
            description: resource.description,
            status: resource.status,
            version: resource.version,
            popularity: resource.popularity,
            added_at: resource.added_at,
            changed_at: resource.changed_at,
        };
        Ok(resources.into_iter().map(view).collect())
    }
}

impl From<LogEntry> for HistoryCause {
    fn from(entry: LogEntry) -> HistoryCause {
        HistoryCause {
            log_id: entry.id,
            actor: entry.actor,
            username: entry.username,
            action: entry.action,
            suggestion_id: entry.suggestion_id,
            rule: entry.rule.map(|json| json.0),
            standing: entry.standing.map(|json| json.0),
            reason: entry.reason,
        }
    }
}

/// What a loader of the catalog's own failed with; all who waited for it share one error.
pub(crate) fn unpacked(error: LoadError<Error>) -> Error {
    match error {
        LoadError::Failed(error) => {
            Arc::try_unwrap(error).unwrap_or_else(|shared| Error::Load(LoadError::Failed(shared)))
        }
        other => Error::Load(other),
    }
}

pub(crate) async fn read_tree(tx: &mut Tx) -> Result<CategoryTree> {
    let below: HashMap<CategoryId, i64> = tx.count_below().await?.into_iter().collect();
    let rows = tx.list_categories().await?;
    let mut children: HashMap<Option<CategoryId>, Vec<CategoryNode>> = HashMap::new();
    let known: BTreeSet<CategoryId> = rows.iter().map(|row| row.category.id).collect();
    for CountedCategory { category, .. } in rows {
        let node = CategoryNode {
            resources: below.get(&category.id).copied().unwrap_or_default(),
            id: category.id,
            list_id: category.list_id,
            slug: category.slug,
            title: category.title,
            position: category.position,
            children: Vec::new(),
        };
        let parent = category.parent_id.filter(|parent| known.contains(parent));
        children.entry(parent).or_default().push(node);
    }
    Ok(CategoryTree::from(grow(None, &mut children)))
}

/// Takes the categories below `parent` out of the heap, each with its own.
fn grow(
    parent: Option<CategoryId>,
    heap: &mut HashMap<Option<CategoryId>, Vec<CategoryNode>>,
) -> Vec<CategoryNode> {
    let mut nodes = heap.remove(&parent).unwrap_or_default();
    for node in &mut nodes {
        node.children = grow(Some(node.id), heap);
    }
    nodes
}
