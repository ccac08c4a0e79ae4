//! The tree, as the file has it.

use std::collections::HashMap;

use upshelf_store::{Category, CategoryId, Tx};

use super::Import;
use crate::Result;
use crate::slugs::unique_slug;

impl Import<'_> {
    /// Makes the categories that are missing, parents first, in the order of the file.
    pub(super) async fn add_categories(&mut self, tx: &mut Tx) -> Result<()> {
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
    pub(super) async fn order_categories(&self, tx: &mut Tx) -> Result<()> {
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
}
