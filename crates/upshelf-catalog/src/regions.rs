//! What the catalog caches, under which keys, and for how long.

use std::collections::HashMap;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use upshelf_cache::{Cache, Policy, Region};
use upshelf_store::{CategoryId, CollectionId, MemberId, Tag};

use crate::views::{CategoryNode, CategoryRef, CollectionPage, ProfileView, ResourceView};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) const CATEGORIES: &str = "cache:categories";
pub(crate) const TAGS: &str = "cache:tags";

/// The tag of the lists of popular resources.
pub(crate) const POPULAR: &str = "resources:popular";

pub(crate) fn popular_key(limit: u32) -> String {
    format!("cache:resources:popular:limit:{limit}")
}

pub(crate) fn profile_key(id: MemberId) -> String {
    format!("cache:profile:{id}")
}

pub(crate) fn collection_key(id: CollectionId) -> String {
    format!("cache:collection:{id}")
}

/// The typed views of the cache.
pub(crate) struct Regions {
    pub(crate) categories: Region<CategoryTree>,
    pub(crate) tags: Region<Vec<Tag>>,
    pub(crate) popular: Region<Vec<ResourceView>>,
    pub(crate) profiles: Region<Option<ProfileView>>,
    pub(crate) collections: Region<Option<CollectionPage>>,
}

impl Regions {
    pub(crate) fn new(cache: &Cache) -> Regions {
        // An old answer is better than none while the database is away.
        let policy = |ttl: Duration| Policy::ttl(ttl).grace(6 * ttl).jitter(0.1).early(0.8);
        Regions {
            categories: cache.region("categories", policy(HOUR)),
            tags: cache.region("tags", policy(HOUR)),
            popular: cache.region("popular", policy(15 * MINUTE)),
            profiles: cache.region("profiles", policy(30 * MINUTE)),
            collections: cache.region("collections", policy(HOUR)),
        }
    }
}

/// Every category, as a tree and by id. Its JSON is the list of the categories at the top.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<CategoryNode>")]
pub struct CategoryTree {
    top: Vec<CategoryNode>,
    by_id: HashMap<CategoryId, CategoryRef>,
    by_slug: HashMap<String, CategoryId>,
}

impl CategoryTree {
    /// Finds a category by id.
    pub fn find(&self, id: CategoryId) -> Option<&CategoryRef> {
        self.by_id.get(&id)
    }

    /// Finds a category by its word in URLs, or by its id as text.
    pub fn find_named(&self, word: &str) -> Option<&CategoryRef> {
        let id = self.by_slug.get(word).copied().or_else(|| word.parse().ok())?;
        self.find(id)
    }

    fn note(&mut self, node: &CategoryNode, path: &mut Vec<String>) {
        path.push(node.title.clone());
        let found = CategoryRef {
            id: node.id,
            slug: node.slug.clone(),
            title: node.title.clone(),
            path: path.clone(),
        };
        self.by_id.insert(node.id, found);
        self.by_slug.insert(node.slug.clone(), node.id);
        for child in &node.children {
            self.note(child, path);
        }
        path.pop();
    }
}

impl From<Vec<CategoryNode>> for CategoryTree {
    fn from(top: Vec<CategoryNode>) -> CategoryTree {
        let mut tree = CategoryTree { top: Vec::new(), by_id: HashMap::new(), by_slug: HashMap::new() };
        for node in &top {
            tree.note(node, &mut Vec::new());
        }
        tree.top = top;
        tree
    }
}

impl Serialize for CategoryTree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.top.serialize(serializer)
    }
}

impl Deref for CategoryTree {
    type Target = [CategoryNode];

    fn deref(&self) -> &[CategoryNode] {
        &self.top
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn node(number: u128, title: &str, children: Vec<CategoryNode>) -> CategoryNode {
        CategoryNode {
            id: Uuid::from_u128(number).into(),
            list_id: Uuid::nil().into(),
            slug: title.to_lowercase(),
            title: title.to_owned(),
            position: 0,
            resources: 0,
            children,
        }
    }

    #[test]
    fn a_tree_comes_back_from_its_json_with_every_path() {
        let tree = CategoryTree::from(vec![
            node(1, "Web", vec![node(2, "Servers", vec![])]),
            node(3, "Tools", vec![]),
        ]);
        let json = serde_json::to_string(&tree).expect("a tree is plain JSON");
        assert!(json.starts_with('['));
        let again: CategoryTree = serde_json::from_str(&json).expect("it was written so");
        let servers = again.find_named("servers").expect("it is there");
        assert_eq!(servers.path, ["Web", "Servers"]);
        assert_eq!(again.find_named(&servers.id.to_string()), Some(servers));
        assert_eq!(again.find_named("gardens"), None);
        assert_eq!(again.len(), 2);
    }
}
