//! Which list a file is meant for, and what the library has of it.

use std::collections::{HashMap, HashSet};

use upshelf_store::{Category, CategoryId, List, ListId, Time, Tx};

use super::documents::base_of;
use super::{Import, ImportRequest, Incoming};
use crate::slugs::slugify;
use crate::{Catalog, Refusal, Result};

impl<'c> Import<'c> {
    pub(super) async fn begin(
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
