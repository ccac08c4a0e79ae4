use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::{CategoryId, ListId, Result, Tx};

/// A place in the ordered tree that a list's headings make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Category {
    /// Names the category.
    pub id: CategoryId,
    /// The list whose heading it is.
    pub list_id: ListId,
    /// The category above; `None` at the top.
    pub parent_id: Option<CategoryId>,
    /// Its place in the list, counted over the whole tree from the top.
    pub position: i64,
    /// The heading's text.
    pub title: String,
    /// Its word in URLs, unique in the site.
    pub slug: String,
}

/// A category with the number of resources placed in it, without those further down.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CountedCategory {
    /// The category.
    #[sqlx(flatten)]
    pub category: Category,
    /// How many resources are placed in it.
    pub resources: i64,
}

impl Tx {
    /// Adds categories; a parent stands before its children.
    pub async fn add_categories(&mut self, categories: &[Category]) -> Result<()> {
        for chunk in categories.chunks(500) {
            on!(self, db => {
                let mut sql =
                    QueryBuilder::new("INSERT INTO categories (id, list_id, parent_id, position, title, slug) ");
                sql.push_values(chunk, |mut row, category| {
                    row.push_bind(category.id)
                        .push_bind(category.list_id)
                        .push_bind(category.parent_id)
                        .push_bind(category.position)
                        .push_bind(&category.title)
                        .push_bind(&category.slug);
                });
                sql.build().persistent(false).execute(db).await.map(|_| ())
            })
            .during("add categories")?;
        }
        Ok(())
    }

    /// Lists every category in the order of the tree, list by list.
    pub async fn list_categories(&mut self) -> Result<Vec<CountedCategory>> {
        const SQL: &str = "SELECT c.id, c.list_id, c.parent_id, c.position, c.title, c.slug,
                (SELECT COUNT(*) FROM placements p WHERE p.category_id = c.id) AS resources
            FROM categories c JOIN lists l ON l.id = c.list_id ORDER BY l.created_at, l.id, c.position, c.id";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await).during("list categories")
    }

    /// Counts the live resources placed in each category or further down, each once; categories without any are missing.
    pub async fn count_below(&mut self) -> Result<Vec<(CategoryId, i64)>> {
        const SQL: &str = "WITH RECURSIVE below (top, id) AS (
                SELECT id, id FROM categories
                UNION ALL SELECT b.top, c.id FROM categories c JOIN below b ON c.parent_id = b.id)
            SELECT b.top, COUNT(DISTINCT p.resource_id) FROM below b JOIN placements p ON p.category_id = b.id
                JOIN resources r ON r.id = p.resource_id AND r.status = 'live' GROUP BY b.top";
        on!(self, db => sqlx::query_as(SQL).fetch_all(db).await)
            .during("count the resources below categories")
    }

    /// Finds a category.
    pub async fn find_category(&mut self, id: CategoryId) -> Result<Option<Category>> {
        const SQL: &str =
            "SELECT id, list_id, parent_id, position, title, slug FROM categories WHERE id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(id).fetch_optional(db).await).during("find a category")
    }

    /// Finds a category by its word in URLs.
    pub async fn find_category_by_slug(&mut self, slug: &str) -> Result<Option<Category>> {
        const SQL: &str =
            "SELECT id, list_id, parent_id, position, title, slug FROM categories WHERE slug = $1";
        on!(self, db => sqlx::query_as(SQL).bind(slug).fetch_optional(db).await)
            .during("find a category by slug")
    }

    /// Gives categories their places in the tree anew.
    pub async fn move_categories(&mut self, places: &[(CategoryId, i64)]) -> Result<()> {
        const SQL: &str = "UPDATE categories SET position = $2 WHERE id = $1";
        for (id, position) in places {
            on!(self, db => sqlx::query(SQL).bind(id).bind(position).execute(db).await.map(|_| ()))
                .during("move a category")?;
        }
        Ok(())
    }

    /// Removes the categories of a list that hold nothing: no resource and no other category. Gives their number.
    pub async fn remove_empty_categories(&mut self, list: ListId, keep: &[CategoryId]) -> Result<u64> {
        let mut removed = 0;
        loop {
            let done = on!(self, db => {
                let mut sql = QueryBuilder::new("DELETE FROM categories WHERE list_id = ");
                sql.push_bind(list).push(
                    " AND NOT EXISTS (SELECT 1 FROM placements p WHERE p.category_id = categories.id)
                      AND NOT EXISTS (SELECT 1 FROM categories c WHERE c.parent_id = categories.id)",
                );
                if !keep.is_empty() {
                    sql.push(" AND id NOT IN (");
                    let mut ids = sql.separated(", ");
                    for id in keep {
                        ids.push_bind(id);
                    }
                    sql.push(")");
                }
                sql.build().persistent(false).execute(db).await.map(|done| done.rows_affected())
            })
            .during("remove empty categories")?;
            if done == 0 {
                return Ok(removed);
            }
            removed += done;
        }
    }
}
