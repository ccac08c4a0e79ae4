//! Bringing a list into the library: all of it in one transaction, or none.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use serde_json::json;
use upshelf_cache::Inv;
use upshelf_lists::{Document, Edit, Entry, Format, Skipped, Target, UrlKey, Warning};
use upshelf_store::{
    Action, Actor, Category, CategoryId, ChangedResource, Documents, Json, List, ListId, LogId, MemberId,
    NewLogEntry, NewResource, Placement, Resource, ResourceId, ResourceState, ResourceStatus,
    ResourceVersion, Time, Tx,
};

use crate::proposal::{MAX_URL, tag_slug};
use crate::shelf::state_of;
use crate::{Catalog, Refusal, Result};

/// How a list is to be brought in.
#[derive(Clone, Debug, Default)]
pub struct ImportRequest {
    /// The file's format; guessed without it.
    pub format: Option<Format>,
    /// The file's name, to guess from.
    pub file_name: String,
    /// The list's slug; without it, the one list there is, or a new one named as the document is.
    pub list: Option<String>,
    /// Who imports; nobody on the command line.
    pub by: Option<MemberId>,
    /// Whether to report only, and change nothing.
    pub dry_run: bool,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct ImportReport {
    /// The list's slug.
    pub list: String,
    /// The format it was read as: `markdown`, `netscape`, `json`, `csv`.
    pub format: String,
    /// The entries read: `{line, title, url, section, description, attributes}`.
    #[schema(value_type = Vec<Object>)]
    pub entries: Vec<Entry>,
    /// Resources that are new on the shelf.
    pub added: usize,
    /// Resources of the shelf that got one more place.
    pub placed: usize,
    /// Entries that were there already.
    pub unchanged: usize,
    /// Resources that got other words or another address, as the newer file has them.
    pub changed: usize,
    /// Places that the newer file no longer has.
    pub removed: usize,
    /// What is no entry, `{line, reason}`.
    #[schema(value_type = Vec<Object>)]
    pub skipped: Vec<Skipped>,
    /// What is odd, `{line, what}`; line 0 is about the whole.
    #[schema(value_type = Vec<Object>)]
    pub warnings: Vec<Warning>,
}

/// The most levels of the tree of categories; what a file nests deeper stands in the last one. Markdown has fewer.
const DEEPEST: usize = 32;

/// Where an entry stands: its resource and its path.
type Place = (UrlKey, Vec<String>);

/// A file, read.
struct Incoming {
    report: ImportReport,
    document: Option<Document>,
    title: String,
    /// The entries with a usable address, in order, each place once.
    places: Vec<(Place, usize)>,
}

impl Incoming {
    fn read(bytes: Vec<u8>, request: &ImportRequest) -> Result<Incoming, Refusal> {
        let format = request.format.unwrap_or_else(|| Format::guess(&request.file_name, &bytes));
        let reading = upshelf_lists::read(format, bytes)
            .map_err(|error| Refusal::invalid("file", format!("It is not {format}: {error}.")))?;
        let title = match &reading.document {
            Some(document) => document.title().unwrap_or("Library").to_owned(),
            None => "Bookmarks".to_owned(),
        };
        let mut report = ImportReport {
            format: format.name().to_owned(),
            skipped: reading.skipped,
            warnings: reading.warnings,
            ..ImportReport::default()
        };
        let mut seen = HashSet::new();
        let mut places = Vec::with_capacity(reading.entries.len());
        for (at, entry) in reading.entries.iter().enumerate() {
            // Every entry has an address that can be used: the readers report the others as skipped.
            let Ok(key) = UrlKey::of(&entry.url) else { continue };
            if entry.url.len() > MAX_URL {
                let what = format!("its address has more than {MAX_URL} characters; it is not taken");
                report.warnings.push(Warning { line: entry.line, what });
                continue;
            }
            let place = (key, path_of(entry, &title));
            if seen.insert(place.clone()) {
                places.push((place, at));
            } else {
                report.unchanged += 1;
            }
        }
        report.entries = reading.entries;
        Ok(Incoming { report, document: reading.document, title, places })
    }
}

/// An entry's path; one above all headings stands in a category named like the list.
fn path_of(entry: &Entry, title: &str) -> Vec<String> {
    let mut path = entry.path();
    path.truncate(DEEPEST);
    if path.is_empty() { vec![title.to_owned()] } else { path }
}

/// Reports what an import into an empty library would do. It touches nothing.
///
/// # Errors
/// [`Refusal::Invalid`] when the file is not in its format at all.
pub fn preview(bytes: Vec<u8>, request: &ImportRequest) -> Result<ImportReport, Refusal> {
    let Incoming { mut report, title, places, .. } = Incoming::read(bytes, request)?;
    let resources: HashSet<&UrlKey> = places.iter().map(|((key, _), _)| key).collect();
    report.added = resources.len();
    report.placed = places.len() - resources.len();
    report.list = request.list.clone().unwrap_or_else(|| slugify(&title));
    Ok(report)
}

impl Catalog {
    /// Brings a list into the library, or only what is new of it: nothing that members changed meanwhile is lost.
    ///
    /// The file is compared with the one that was imported before it; the differences between the two are made here,
    /// and the changes that members made stay, in the library and in the document.
    ///
    /// # Errors
    /// A [`Refusal`] when the file is not in its format, or when it is not clear which list is meant.
    pub async fn import(&self, bytes: Vec<u8>, request: &ImportRequest) -> Result<ImportReport> {
        let incoming = Incoming::read(bytes, request)?;
        let now = self.clock().now();
        let mut tx = self.store().write().await?;
        let import = Import::begin(self, &mut tx, incoming, request, now).await?;
        let report = import.run(&mut tx).await?;
        if request.dry_run {
            return Ok(report);
        }
        let stale = self.stale(&mut tx, vec![Inv::all()]).await?;
        self.commit(tx).await?;
        self.forget(stale).await;
        Ok(report)
    }

    /// Lists the site's lists.
    pub async fn lists(&self) -> Result<Vec<List>> {
        Ok(self.store().read().await?.list_lists().await?)
    }

    /// The list with this slug, or the only one there is.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is none; [`Refusal::Invalid`] when there are several to choose from.
    pub(crate) async fn only_list(&self, tx: &mut Tx, slug: Option<&str>) -> Result<List> {
        if let Some(slug) = slug {
            return Ok(tx.find_list(slug).await?.ok_or(Refusal::NotFound("list"))?);
        }
        let mut lists = tx.list_lists().await?;
        match lists.len() {
            0 => Err(Refusal::NotFound("list").into()),
            1 => Ok(lists.remove(0)),
            _ => Err(which(&lists).into()),
        }
    }
}

fn which(lists: &[List]) -> Refusal {
    let slugs: Vec<&str> = lists.iter().map(|list| list.slug.as_str()).collect();
    Refusal::invalid("list", format!("Say which list: {}.", slugs.join(", ")))
}

/// One import on its way.
struct Import<'c> {
    catalog: &'c Catalog,
    now: Time,
    by: Option<MemberId>,
    log: LogId,
    list: List,
    report: ImportReport,
    document: Option<Document>,
    places: Vec<(Place, usize)>,
    title: String,
    /// The documents as they were before this import.
    earlier: Documents,
    /// The entries of the file that was imported before.
    base: HashMap<Place, Entry>,
    categories: HashMap<Vec<String>, CategoryId>,
    slugs: HashSet<String>,
    resources: HashMap<String, (ResourceId, ResourceStatus)>,
    /// Resources whose words and versions are to be written at the end.
    touched: Vec<ResourceId>,
}

impl<'c> Import<'c> {
    async fn begin(
        catalog: &'c Catalog,
        tx: &mut Tx,
        incoming: Incoming,
        request: &ImportRequest,
        now: Time,
    ) -> Result<Import<'c>> {
        let list = choose_list(catalog, tx, &incoming, request.list.as_deref(), now).await?;
        let earlier = tx.lock_documents(list.id).await?;
        let base = match (&incoming.document, &earlier.imported) {
            (Some(_), Some(imported)) => base_of(imported.clone(), &incoming.title),
            _ => HashMap::new(),
        };
        let mut paths: HashMap<CategoryId, Vec<String>> = HashMap::new();
        let mut categories = HashMap::new();
        let mut slugs = HashSet::new();
        for Category { id, list_id, parent_id, title, slug, .. } in
            tx.list_categories().await?.into_iter().map(|row| row.category)
        {
            let above = parent_id.and_then(|parent| paths.get(&parent).cloned()).unwrap_or_default();
            let path: Vec<String> = above.into_iter().chain([title]).collect();
            if list_id == list.id {
                categories.insert(path.clone(), id);
            }
            paths.insert(id, path);
            slugs.insert(slug);
        }
        let resources =
            tx.list_url_keys().await?.into_iter().map(|(key, id, status)| (key, (id, status))).collect();
        let mut report = incoming.report;
        report.list.clone_from(&list.slug);
        Ok(Import {
            catalog,
            now,
            by: request.by,
            log: catalog.clock().id(),
            list,
            report,
            document: incoming.document,
            places: incoming.places,
            title: incoming.title,
            earlier,
            base,
            categories,
            slugs,
            resources,
            touched: Vec::new(),
        })
    }

    async fn run(mut self, tx: &mut Tx) -> Result<ImportReport> {
        if self.document.as_ref().is_some_and(|new| self.earlier.imported.as_deref() == Some(new.bytes())) {
            self.report.unchanged += self.places.len();
            return Ok(self.report);
        }
        tx.add_log(&NewLogEntry {
            id: self.log,
            at: self.now,
            actor: if self.by.is_some() { Actor::Member } else { Actor::System },
            member_id: self.by,
            action: Action::Imported,
            suggestion_id: None,
            resource_id: None,
            rule: None,
            standing: None,
            before: None,
            after: Some(json!({ "list": self.list.slug, "entries": self.places.len() })),
            reason: None,
        })
        .await?;
        self.add_categories(tx).await?;
        let placed = self.take_in(tx).await?;
        self.take_changes(tx).await?;
        self.take_out(tx).await?;
        tx.put_texts(&self.touched).await?;
        self.put_documents(tx, &placed).await?;
        if self.document.is_some() {
            self.order_categories(tx).await?;
        }
        Ok(self.report)
    }

    /// Makes the categories that are missing, parents first, in the order of the file.
    async fn add_categories(&mut self, tx: &mut Tx) -> Result<()> {
        let mut new = Vec::new();
        for place in 0..self.places.len() {
            let path = self.places[place].0.1.clone();
            for depth in 1..=path.len() {
                let path = &path[..depth];
                if self.categories.contains_key(path) {
                    continue;
                }
                let id = self.catalog.clock().id();
                new.push(Category {
                    id,
                    list_id: self.list.id,
                    parent_id: self.categories.get(&path[..depth - 1]).copied(),
                    position: i64::try_from(self.categories.len()).unwrap_or(i64::MAX),
                    title: path[depth - 1].clone(),
                    slug: unique_slug(path, &mut self.slugs),
                });
                self.categories.insert(path.to_vec(), id);
            }
        }
        Ok(tx.add_categories(&new).await?)
    }

    /// Puts the tree into the order of the file; what only the library has comes after its elder sibling.
    async fn order_categories(&self, tx: &mut Tx) -> Result<()> {
        let mut order: HashMap<CategoryId, i64> = HashMap::new();
        for ((_, path), _) in &self.places {
            for depth in 1..=path.len() {
                let next = i64::try_from(order.len()).unwrap_or(i64::MAX);
                order.entry(self.categories[&path[..depth]]).or_insert(next);
            }
        }
        let mut moves = Vec::new();
        for row in tx.list_categories().await? {
            let Category { id, list_id, position, .. } = row.category;
            if list_id != self.list.id {
                continue;
            }
            let next = i64::try_from(order.len()).unwrap_or(i64::MAX);
            let place = *order.entry(id).or_insert(next);
            if place != position {
                moves.push((id, place));
            }
        }
        Ok(tx.move_categories(&moves).await?)
    }

    /// Adds what is new, and gives the entries that got a place.
    async fn take_in(&mut self, tx: &mut Tx) -> Result<Vec<usize>> {
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
    async fn take_changes(&mut self, tx: &mut Tx) -> Result<()> {
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
    async fn take_out(&mut self, tx: &mut Tx) -> Result<()> {
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

    /// Keeps the file, and the file with the changes that members made since the one before it.
    async fn put_documents(&mut self, tx: &mut Tx, placed: &[usize]) -> Result<()> {
        let documents = match (self.document.take(), self.earlier.document.take()) {
            (Some(new), None) => {
                let bytes = new.into_bytes();
                Documents { imported: Some(bytes.clone()), document: Some(bytes) }
            }
            (Some(new), Some(ours)) => {
                let imported = new.bytes().to_vec();
                let merged = self.merge(new, &Document::parse(ours));
                Documents { imported: Some(imported), document: Some(merged.into_bytes()) }
            }
            (None, Some(ours)) if !placed.is_empty() => {
                let mut document = Document::parse(ours);
                for at in placed {
                    match document.add(&self.report.entries[*at]) {
                        Ok(change) => document = change.document,
                        Err(error) => self.warn(*at, &format!("not written into the document: {error}")),
                    }
                }
                Documents { imported: self.earlier.imported.take(), document: Some(document.into_bytes()) }
            }
            (None, _) => return Ok(()),
        };
        Ok(tx.put_documents(self.list.id, &documents, self.now).await?)
    }

    /// Makes the changes that led from the imported file to our document in the newer file, too.
    fn merge(&mut self, mut new: Document, ours: &Document) -> Document {
        let ours = entries_by_place(ours, &self.title);
        let mut try_change =
            |new: &mut Document,
             line: usize,
             change: std::result::Result<upshelf_lists::Change, upshelf_lists::ChangeError>| {
                match change {
                    Ok(change) => *new = change.document,
                    Err(upshelf_lists::ChangeError::Exists | upshelf_lists::ChangeError::NotFound) => {}
                    Err(error) => self.report.warnings.push(Warning {
                        line,
                        what: format!("a change of members was not written again: {error}"),
                    }),
                }
            };
        for (place, entry) in &ours {
            match self.base.get(place) {
                None => {
                    let change = new.add(entry);
                    try_change(&mut new, 0, change);
                }
                Some(base) if words(base) != words(entry) => {
                    let differs = |ours: &str, base: &str| (ours != base).then(|| ours.to_owned());
                    let edit = Edit {
                        title: differs(&entry.title, &base.title),
                        url: differs(&entry.url, &base.url),
                        description: differs(&entry.description, &base.description),
                    };
                    let change = new.edit(&Target::at(place.0.clone(), entry.path()), &edit);
                    try_change(&mut new, entry.line, change);
                }
                Some(_) => {}
            }
        }
        let kept: HashSet<&Place> = ours.iter().map(|(place, _)| place).collect();
        for (place, entry) in self.base.iter().filter(|(place, _)| !kept.contains(place)) {
            let change = new.remove(&Target::at(place.0.clone(), entry.path()));
            try_change(&mut new, entry.line, change);
        }
        new
    }

    fn warn(&mut self, at: usize, what: &str) {
        let line = self.report.entries[at].line;
        self.report.warnings.push(Warning { line, what: what.to_owned() });
    }
}

/// The words of an entry that a resource takes over.
fn words(entry: &Entry) -> (&str, &str, &str) {
    (&entry.title, &entry.url, &entry.description)
}

fn base_of(imported: Vec<u8>, title: &str) -> HashMap<Place, Entry> {
    entries_by_place(&Document::parse(imported), title).into_iter().collect()
}

/// A document's entries in order, each place once.
fn entries_by_place(document: &Document, title: &str) -> Vec<(Place, Entry)> {
    let mut seen = HashSet::new();
    document
        .entries()
        .iter()
        .filter_map(|entry| Some(((UrlKey::of(&entry.url).ok()?, path_of(entry, title)), entry.clone())))
        .filter(|(place, _)| seen.insert(place.clone()))
        .collect()
}

/// The list an import is meant for; made when it is new.
async fn choose_list(
    catalog: &Catalog,
    tx: &mut Tx,
    incoming: &Incoming,
    asked: Option<&str>,
    now: Time,
) -> Result<List> {
    let lists = tx.list_lists().await?;
    let slug = match asked {
        Some(asked) if slugify(asked) != asked => {
            return Err(Refusal::invalid("list", "Lower-case letters, digits and hyphens.").into());
        }
        Some(asked) => asked.to_owned(),
        None => slugify(&incoming.title),
    };
    if let Some(list) = lists.iter().find(|list| list.slug == slug) {
        return Ok(list.clone());
    }
    if let (None, [only]) = (asked, lists.as_slice()) {
        // The one list there is: but a file that shares little with it would empty it, and was hardly meant to.
        let imported = tx.documents(only.id).await?.imported;
        let base = imported.map(|imported| base_of(imported, &incoming.title)).unwrap_or_default();
        let kept = incoming.places.iter().filter(|(place, _)| base.contains_key(place)).count();
        if incoming.document.is_none() || kept * 2 >= base.len() {
            return Ok(only.clone());
        }
    }
    let list = List {
        id: catalog.clock().id::<ListId>(),
        slug,
        title: incoming.title.clone(),
        version: 1,
        created_at: now,
        changed_at: now,
    };
    tx.add_list(&list).await?;
    Ok(list)
}

/// A word for URLs: lower-case letters and digits of any script, hyphens between.
pub(crate) fn slugify(title: &str) -> String {
    let mut slug = String::new();
    for character in title.chars().flat_map(char::to_lowercase).take(80) {
        match character {
            '+' => slug.push_str("plus"),
            '#' => slug.push_str("sharp"),
            character if character.is_alphanumeric() => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "list".to_owned() } else { slug }
}

/// The slug of a category: its title, with its parent's where two are alike, with a number where even that is taken.
fn unique_slug(path: &[String], taken: &mut HashSet<String>) -> String {
    let own = slugify(path.last().map_or("", String::as_str));
    let candidates =
        [Some(own.clone()), (path.len() > 1).then(|| format!("{}-{own}", slugify(&path[path.len() - 2])))];
    let numbered = (2_u32..).map(|number| format!("{own}-{number}"));
    let slug = candidates
        .into_iter()
        .flatten()
        .chain(numbered)
        .find(|slug| !taken.contains(slug))
        .expect("there is always another number");
    taken.insert(slug.clone());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_keep_what_tells_names_apart() {
        assert_eq!(slugify("Command-line & Tools"), "command-line-tools");
        assert_ne!(slugify("C"), slugify("C#"));
        assert_ne!(slugify("C"), slugify("C++"));
        assert_eq!(slugify("日本語"), "日本語");
        assert_eq!(slugify("!!!"), "list");
    }

    #[test]
    fn like_named_categories_get_their_parents_name_then_a_number() {
        let mut taken = HashSet::new();
        let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(unique_slug(&path(&["Tools"]), &mut taken), "tools");
        assert_eq!(unique_slug(&path(&["Web", "Tools"]), &mut taken), "web-tools");
        assert_eq!(unique_slug(&path(&["Web", "Tools"]), &mut taken), "tools-2");
    }

    #[test]
    fn a_preview_counts_resources_and_further_places() {
        let list = b"# Some list\n\n## One\n\n- [A](https://a.example)\n- [B](https://b.example)\n\n## Two\n\n- [A](https://a.example/)\n".to_vec();
        let report = preview(list, &ImportRequest::default()).expect("it is a list");
        assert_eq!((report.added, report.placed, report.unchanged), (2, 1, 0));
        assert_eq!(report.list, "some-list");
    }
}
