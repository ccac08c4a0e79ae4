//! Putting a change onto the shelf: the resource, its places, its words for search, and the documents of lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use upshelf_lists::{ChangeError, Document, Edit, Entry, Target, Undo, UrlKey};
use upshelf_store::{
    CategoryId, ChangedResource, Changes, Json, ListId, LogId, MemberId, NewResource, Placement, Resource,
    ResourceId, ResourceState, ResourceStatus, ResourceVersion, Suggestion, SuggestionKind, Time, Tx,
};

use crate::{Catalog, Refusal, Result};

/// What becomes of a resource.
#[derive(Clone, Debug)]
pub(crate) struct ShelfChange {
    /// Which resource.
    pub(crate) resource: ResourceId,
    /// What it was; `None` when it is new.
    pub(crate) before: Option<ResourceState>,
    /// What it is to be.
    pub(crate) after: ResourceState,
}

/// Where in a list a resource stands.
type Paths<'t> = Vec<&'t [String]>;

/// What takes the change of one list's document back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ListUndo {
    pub(crate) list: ListId,
    /// In the order in which they are to be undone.
    pub(crate) undo: Vec<Undo>,
}

/// The categories of all lists, by id.
pub(crate) struct Tree {
    places: HashMap<CategoryId, (ListId, Vec<String>)>,
}

impl Tree {
    pub(crate) async fn read(tx: &mut Tx) -> Result<Tree> {
        let mut places: HashMap<CategoryId, (ListId, Vec<String>)> = HashMap::new();
        let mut rows: Vec<_> = tx.list_categories().await?.into_iter().map(|row| row.category).collect();
        // A parent stands before its children in the order of the tree, but a moved one may not.
        while !rows.is_empty() {
            let waiting = rows.len();
            rows.retain(|category| {
                let above = match category.parent_id {
                    None => Vec::new(),
                    Some(parent) => match places.get(&parent) {
                        Some((_, path)) => path.clone(),
                        None => return true,
                    },
                };
                let path = above.into_iter().chain([category.title.clone()]).collect();
                places.insert(category.id, (category.list_id, path));
                false
            });
            if rows.len() == waiting {
                break;
            }
        }
        Ok(Tree { places })
    }

    pub(crate) fn has(&self, category: CategoryId) -> bool {
        self.places.contains_key(&category)
    }

    pub(crate) fn path(&self, category: CategoryId) -> Option<&[String]> {
        self.places.get(&category).map(|(_, path)| path.as_slice())
    }
}

impl Catalog {
    /// Works out what a suggestion makes of its resource; or says what stands in the way.
    pub(crate) async fn plan(
        &self,
        tx: &mut Tx,
        suggestion: &Suggestion,
    ) -> Result<Result<ShelfChange, &'static str>> {
        let tree = Tree::read(tx).await?;
        let Json(changes) = &suggestion.changes;
        if suggestion.kind == SuggestionKind::Add {
            return self.plan_addition(tx, suggestion, changes, &tree).await;
        }
        let Some(id) = suggestion.resource_id else { return Ok(Err("its resource is gone")) };
        let Some(resource) = tx.lock_resource(id).await? else { return Ok(Err("its resource is gone")) };
        if resource.status == ResourceStatus::Removed {
            return Ok(Err("the resource was removed"));
        }
        let before = state_of(tx, &resource).await?;
        if suggestion.base_version != Some(resource.version) && conflicts(&suggestion.before.0, &before) {
            return Ok(Err("the resource changed meanwhile in the same fields"));
        }
        let mut after = before.clone();
        if suggestion.kind == SuggestionKind::Remove {
            after.status = ResourceStatus::Removed;
            after.category_ids.clear();
            return Ok(Ok(ShelfChange { resource: id, before: Some(before), after }));
        }
        if let Some(url) = &changes.url {
            let there = tx.find_resource_at(key(url)?.as_str()).await?;
            if there.is_some_and(|there| there.id != id) {
                return Ok(Err("another resource has the new address"));
            }
            after.url.clone_from(url);
        }
        if let Some(title) = &changes.title {
            after.title.clone_from(title);
        }
        if let Some(description) = &changes.description {
            after.description.clone_from(description);
        }
        if let Some(tags) = &changes.tags {
            after.tags.clone_from(tags);
        }
        if let Some(categories) = &changes.category_ids {
            after.category_ids = categories.iter().copied().filter(|id| tree.has(*id)).collect();
            if after.category_ids.is_empty() {
                return Ok(Err("its categories are gone"));
            }
        }
        Ok(Ok(ShelfChange { resource: id, before: Some(before), after }))
    }

    async fn plan_addition(
        &self,
        tx: &mut Tx,
        suggestion: &Suggestion,
        changes: &Changes,
        tree: &Tree,
    ) -> Result<Result<ShelfChange, &'static str>> {
        let url = changes.url.clone().unwrap_or_default();
        let there = tx.find_resource_at(key(&url)?.as_str()).await?;
        if there.as_ref().is_some_and(|there| there.status == ResourceStatus::Live) {
            return Ok(Err("it is on the shelf already"));
        }
        let category_ids: Vec<CategoryId> =
            changes.category_ids.iter().flatten().copied().filter(|id| tree.has(*id)).collect();
        if category_ids.is_empty() {
            return Ok(Err("its categories are gone"));
        }
        let before = match &there {
            Some(there) => Some(state_of(tx, there).await?),
            None => None,
        };
        let after = ResourceState {
            url,
            title: changes.title.clone().unwrap_or_default(),
            description: changes.description.clone().unwrap_or_default(),
            category_ids,
            tags: changes.tags.clone().unwrap_or_default(),
            status: ResourceStatus::Live,
        };
        let resource = there.map(|there| there.id).or(suggestion.resource_id);
        Ok(Ok(ShelfChange { resource: resource.unwrap_or_else(|| self.clock().id()), before, after }))
    }

    /// Adds the row of a new resource; [`put_on_shelf`](Self::put_on_shelf) does the rest.
    pub(crate) async fn add_to_shelf(
        &self,
        tx: &mut Tx,
        change: &ShelfChange,
        author: MemberId,
        now: Time,
    ) -> Result<()> {
        let after = &change.after;
        tx.add_resources(&[NewResource {
            id: change.resource,
            url: after.url.clone(),
            url_key: key(&after.url)?.as_str().to_owned(),
            title: after.title.clone(),
            description: after.description.clone(),
            added_by: Some(author),
            added_at: now,
        }])
        .await?;
        Ok(())
    }

    /// Makes a change of a resource: its row, tags, places and words, the documents, and the version that remembers it.
    pub(crate) async fn put_on_shelf(
        &self,
        tx: &mut Tx,
        change: &ShelfChange,
        log: LogId,
        now: Time,
    ) -> Result<i64> {
        let undo = self.rewrite_documents(tx, change, now).await?;
        self.put_in_library(tx, change, log, undo, now).await
    }

    /// The library's part of [`put_on_shelf`](Self::put_on_shelf), with the documents rewritten already.
    pub(crate) async fn put_in_library(
        &self,
        tx: &mut Tx,
        change: &ShelfChange,
        log: LogId,
        undo: Vec<ListUndo>,
        now: Time,
    ) -> Result<i64> {
        let ShelfChange { resource, before, after } = change;
        let version = match before {
            None => 1,
            Some(_) => {
                let changed = ChangedResource {
                    url: after.url.clone(),
                    url_key: key(&after.url)?.as_str().to_owned(),
                    title: after.title.clone(),
                    description: after.description.clone(),
                    status: after.status,
                };
                tx.change_resource(*resource, &changed, now).await?.ok_or(Refusal::NotFound("resource"))?
            }
        };
        if before.as_ref().is_none_or(|before| before.tags != after.tags) {
            tx.put_tags(*resource, &labelled(&after.tags), now).await?;
        }
        let old: BTreeSet<_> = before.iter().flat_map(|before| before.category_ids.iter().copied()).collect();
        let new: BTreeSet<_> = after.category_ids.iter().copied().collect();
        for category in old.difference(&new) {
            tx.unplace(*resource, *category).await?;
        }
        for category in new.difference(&old) {
            let position = tx.next_position(*category).await?;
            tx.place(&[Placement { resource_id: *resource, category_id: *category, position }]).await?;
        }
        tx.put_texts(&[*resource]).await?;
        let undo = (!undo.is_empty())
            .then(|| Json(serde_json::to_value(undo).expect("an undo is made to be stored as JSON")));
        let remembered =
            ResourceVersion { version, at: now, log_id: Some(log), state: Json(after.clone()), undo };
        tx.add_versions(&[(*resource, remembered)]).await?;
        Ok(version)
    }

    /// Changes the documents of the lists that a resource is placed in; gives what takes it back.
    ///
    /// What cannot be written into a document does not hold up the library: it is logged, and the export shows it once
    /// the document is imported anew.
    async fn rewrite_documents(&self, tx: &mut Tx, change: &ShelfChange, now: Time) -> Result<Vec<ListUndo>> {
        let tree = Tree::read(tx).await?;
        let mut lists: BTreeMap<ListId, (Paths<'_>, Paths<'_>)> = BTreeMap::new();
        for category in change.before.iter().flat_map(|before| &before.category_ids) {
            if let Some((list, path)) = tree.places.get(category) {
                lists.entry(*list).or_default().0.push(path);
            }
        }
        for category in &change.after.category_ids {
            if let Some((list, path)) = tree.places.get(category) {
                lists.entry(*list).or_default().1.push(path);
            }
        }
        let mut undone = Vec::new();
        for (list, (old, new)) in lists {
            let Some(bytes) = tx.lock_documents(list).await?.document else { continue };
            let mut pen = Pen { document: Document::parse(bytes), undo: Vec::new() };
            if let Err(error) = pen.rewrite(change, &old, &new) {
                tracing::warn!(
                    %list,
                    resource = %change.resource,
                    error = &error as &dyn std::error::Error,
                    "a change could not be written into the list's document"
                );
            }
            if pen.undo.is_empty() {
                continue;
            }
            tx.put_document(list, pen.document.bytes(), now).await?;
            pen.undo.reverse();
            undone.push(ListUndo { list, undo: pen.undo });
        }
        Ok(undone)
    }
}

/// A document being rewritten.
struct Pen {
    document: Document,
    undo: Vec<Undo>,
}

impl Pen {
    /// Makes one resource's entries follow its change: `old` and `new` are the paths it is placed at in this list.
    fn rewrite(
        &mut self,
        change: &ShelfChange,
        old: &[&[String]],
        new: &[&[String]],
    ) -> Result<(), ChangeError> {
        let after = &change.after;
        let before = change.before.as_ref().filter(|before| before.status == ResourceStatus::Live);
        let Some(before) = before else {
            for path in new {
                self.add(after, path)?;
            }
            return Ok(());
        };
        let Ok(key) = UrlKey::of(&before.url) else { return Ok(()) };
        let edit = Edit {
            title: (before.title != after.title).then(|| after.title.clone()),
            url: (before.url != after.url).then(|| after.url.clone()),
            description: (before.description != after.description).then(|| after.description.clone()),
        };
        let left: Vec<_> = old.iter().filter(|path| !new.contains(path)).collect();
        let mut entered: Vec<_> = new.iter().filter(|path| !old.contains(path)).collect();
        for path in old {
            if edit != Edit::default() && after.status == ResourceStatus::Live {
                let target = self.target(&key, path);
                self.apply(|document| document.edit(&target, &edit))?;
            }
        }
        let key = UrlKey::of(&after.url).unwrap_or(key);
        for path in left {
            let target = self.target(&key, path);
            match entered.pop() {
                Some(to) => self.apply(|document| document.move_to(&target, to))?,
                None => self.apply(|document| document.remove(&target))?,
            }
        }
        for path in entered {
            self.add(after, path)?;
        }
        Ok(())
    }

    /// The entry at `path`; an entry above all headings stands in a category that no heading names.
    fn target(&self, key: &UrlKey, path: &[String]) -> Target {
        let above_all =
            |entry: &Entry| entry.path().is_empty() && UrlKey::of(&entry.url).is_ok_and(|at| at == *key);
        if path.len() == 1 && self.document.entries().iter().any(above_all) {
            Target::at(key.clone(), Vec::<String>::new())
        } else {
            Target::at(key.clone(), path)
        }
    }

    fn add(&mut self, state: &ResourceState, path: &[String]) -> Result<(), ChangeError> {
        let entry = Entry {
            section: path.to_vec(),
            description: state.description.clone(),
            ..Entry::new(&state.title, &state.url)
        };
        self.apply(|document| document.add(&entry))
    }

    fn apply(
        &mut self,
        change: impl FnOnce(&Document) -> Result<upshelf_lists::Change, ChangeError>,
    ) -> Result<(), ChangeError> {
        let changed = change(&self.document)?;
        self.document = changed.document;
        self.undo.push(changed.undo);
        Ok(())
    }
}

/// Everything that a version of a resource remembers, as it is now.
pub(crate) async fn state_of(tx: &mut Tx, resource: &Resource) -> Result<ResourceState> {
    let placements = tx.list_placements_of(&[resource.id]).await?;
    let tags = tx.list_tags_of(&[resource.id]).await?;
    Ok(ResourceState {
        url: resource.url.clone(),
        title: resource.title.clone(),
        description: resource.description.clone(),
        category_ids: placements.into_iter().map(|placement| placement.category_id).collect(),
        tags: tags.into_iter().map(|(_, tag)| tag).collect(),
        status: resource.status,
    })
}

/// Whether any field that a suggestion was built on (`base`) holds something else now.
pub(crate) fn conflicts(base: &Changes, now: &ResourceState) -> bool {
    fn differs<T: PartialEq>(base: Option<&T>, now: &T) -> bool {
        base.is_some_and(|base| base != now)
    }
    let sorted = |ids: &[CategoryId]| ids.iter().copied().collect::<BTreeSet<_>>();
    differs(base.url.as_ref(), &now.url)
        || differs(base.title.as_ref(), &now.title)
        || differs(base.description.as_ref(), &now.description)
        || differs(base.tags.as_ref(), &now.tags)
        || base.category_ids.as_ref().is_some_and(|ids| sorted(ids) != sorted(&now.category_ids))
}

/// The normalised URL, for one that was checked when it came in.
pub(crate) fn key(url: &str) -> Result<UrlKey, Refusal> {
    UrlKey::of(url).map_err(|error| Refusal::invalid("url", format!("{error}.")))
}

/// Tags as slug and label.
pub(crate) fn labelled(tags: &[String]) -> Vec<(String, String)> {
    tags.iter().map(|tag| (tag.clone(), tag.clone())).collect()
}
