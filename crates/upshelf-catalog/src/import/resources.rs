//! Resources: the new, the changed, and those that the newer file no longer has.

use std::collections::{BTreeMap, HashMap, HashSet};

use upshelf_store::{
    CategoryId, ChangedResource, Json, NewResource, Placement, Resource, ResourceId, ResourceState,
    ResourceStatus, ResourceVersion, Tx,
};

use super::{Import, Place, words};
use crate::Result;
use crate::proposal::tag_slug;
use crate::shelf::state_of;

impl Import<'_> {
    /// Adds what is new, and gives the entries that got a place.
    pub(super) async fn take_in(&mut self, tx: &mut Tx) -> Result<Vec<usize>> {
        let there: HashSet<(ResourceId, CategoryId)> = tx
            .list_placements(self.list.id)
            .await?
            .into_iter()
            .map(|placement| (placement.resource_id, placement.category_id))
            .collect();
        let mut new: Vec<NewResource> = Vec::new();
        let mut revived: Vec<(ResourceId, usize)> = Vec::new();
        let mut placements: Vec<Placement> = Vec::new();
        let mut tags: Vec<(ResourceId, String, String)> = Vec::new();
        let mut placed = Vec::new();
        for (order, ((key, path), at)) in self.places.iter().enumerate() {
            let entry = &self.report.entries[*at];
            let category_id = self.categories[path];
            let known = self.resources.get(key.as_str()).copied();
            let in_base = self.base.contains_key(&(key.clone(), path.clone()));
            let resource_id = match known {
                Some((id, _)) if there.contains(&(id, category_id)) || in_base => {
                    self.report.unchanged += 1;
                    continue;
                }
                Some((id, ResourceStatus::Live)) => {
                    self.report.placed += 1;
                    id
                }
                Some((id, ResourceStatus::Removed)) => {
                    self.report.added += 1;
                    revived.push((id, *at));
                    id
                }
                None => {
                    self.report.added += 1;
                    let id = self.catalog.clock().id();
                    new.push(NewResource {
                        id,
                        url: entry.url.clone(),
                        url_key: key.as_str().to_owned(),
                        title: entry.title.clone(),
                        description: entry.description.clone(),
                        added_by: None,
                        added_at: self.now,
                    });
                    id
                }
            };
            self.resources.insert(key.as_str().to_owned(), (resource_id, ResourceStatus::Live));
            let position = i64::try_from(order).unwrap_or(i64::MAX);
            placements.push(Placement { resource_id, category_id, position });
            placed.push(*at);
            tags.extend(
                entry
                    .tags
                    .iter()
                    .map(|tag| (resource_id, tag_slug(tag), tag.clone()))
                    .filter(|tag| !tag.1.is_empty()),
            );
        }
        tx.add_resources(&new).await?;
        for (id, at) in revived {
            self.change(tx, id, at, ResourceStatus::Live).await?;
        }
        tx.place(&placements).await?;
        tx.add_tags(&tags, self.now).await?;
        self.remember(tx, &new, &placements, &tags).await?;
        self.touched.extend(placements.iter().map(|placement| placement.resource_id));
        Ok(placed)
    }

    /// Writes the first version of every new resource.
    async fn remember(
        &self,
        tx: &mut Tx,
        new: &[NewResource],
        placements: &[Placement],
        tags: &[(ResourceId, String, String)],
    ) -> Result<()> {
        let mut states: BTreeMap<ResourceId, ResourceState> = new
            .iter()
            .map(|new| {
                let state = ResourceState {
                    url: new.url.clone(),
                    title: new.title.clone(),
                    description: new.description.clone(),
                    category_ids: Vec::new(),
                    tags: Vec::new(),
                    status: ResourceStatus::Live,
                };
                (new.id, state)
            })
            .collect();
        for placement in placements {
            if let Some(state) = states.get_mut(&placement.resource_id) {
                state.category_ids.push(placement.category_id);
            }
        }
        for (id, slug, _) in tags {
            if let Some(state) = states.get_mut(id).filter(|state| !state.tags.contains(slug)) {
                state.tags.push(slug.clone());
            }
        }
        let versions: Vec<_> = states.into_iter().map(|(id, state)| (id, self.version(1, state))).collect();
        Ok(tx.add_versions(&versions).await?)
    }

    fn version(&self, version: i64, state: ResourceState) -> ResourceVersion {
        ResourceVersion { version, at: self.now, log_id: Some(self.log), state: Json(state), undo: None }
    }

    /// Takes over the words that the newer file has for an entry, unless members changed them meanwhile.
    pub(super) async fn take_changes(&mut self, tx: &mut Tx) -> Result<()> {
        let mut changed: Vec<(ResourceId, usize, Place)> = Vec::new();
        for (place, at) in &self.places {
            let entry = &self.report.entries[*at];
            if self.base.get(place).is_some_and(|base| words(base) != words(entry))
                && let Some((id, ResourceStatus::Live)) = self.resources.get(place.0.as_str())
                && !changed.iter().any(|(known, ..)| known == id)
            {
                changed.push((*id, *at, place.clone()));
            }
        }
        let ids: Vec<ResourceId> = changed.iter().map(|(id, ..)| *id).collect();
        let mut current: HashMap<ResourceId, Resource> = HashMap::new();
        for chunk in ids.chunks(500) {
            current.extend(tx.list_resources_of(chunk).await?.into_iter().map(|found| (found.id, found)));
        }
        for (id, at, place) in changed {
            let (Some(resource), Some(base)) = (current.get(&id), self.base.get(&place)) else { continue };
            let untouched = (resource.title.as_str(), resource.url.as_str(), resource.description.as_str())
                == words(base);
            self.report.unchanged = self.report.unchanged.saturating_sub(1);
            if untouched {
                self.report.changed += 1;
                self.change(tx, id, at, ResourceStatus::Live).await?;
            } else {
                self.report.unchanged += 1;
                self.warn(at, "members changed this entry; their words stay");
            }
        }
        Ok(())
    }

    /// Gives a resource the words of an entry, and remembers the version.
    async fn change(&mut self, tx: &mut Tx, id: ResourceId, at: usize, status: ResourceStatus) -> Result<()> {
        let entry = &self.report.entries[at];
        let key = crate::shelf::key(&entry.url)?;
        let changed = ChangedResource {
            url: entry.url.clone(),
            url_key: key.as_str().to_owned(),
            title: entry.title.clone(),
            description: entry.description.clone(),
            status,
        };
        self.write(tx, id, &changed).await
    }

    async fn write(&mut self, tx: &mut Tx, id: ResourceId, changed: &ChangedResource) -> Result<()> {
        let Some(version) = tx.change_resource(id, changed, self.now).await? else { return Ok(()) };
        if let Some(resource) = tx.find_resource(id).await? {
            let state = state_of(tx, &resource).await?;
            tx.add_versions(&[(id, self.version(version, state))]).await?;
        }
        self.touched.push(id);
        Ok(())
    }

    /// Takes out what the newer file no longer has; a resource without any place leaves the shelf.
    pub(super) async fn take_out(&mut self, tx: &mut Tx) -> Result<()> {
        let kept: HashSet<&Place> = self.places.iter().map(|(place, _)| place).collect();
        let mut gone: Vec<Place> = self.base.keys().filter(|place| !kept.contains(place)).cloned().collect();
        gone.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()).then_with(|| one.1.cmp(&other.1)));
        for (key, path) in gone {
            let (Some((id, ResourceStatus::Live)), Some(category)) =
                (self.resources.get(key.as_str()).copied(), self.categories.get(&path).copied())
            else {
                continue;
            };
            if !tx.unplace(id, category).await? {
                continue;
            }
            self.report.removed += 1;
            if tx.list_placements_of(&[id]).await?.is_empty()
                && let Some(resource) = tx.find_resource(id).await?
            {
                let changed = ChangedResource {
                    url_key: key.as_str().to_owned(),
                    url: resource.url,
                    title: resource.title,
                    description: resource.description,
                    status: ResourceStatus::Removed,
                };
                self.write(tx, id, &changed).await?;
            }
        }
        tx.remove_empty_categories(self.list.id, &[]).await?;
        Ok(())
    }
}
