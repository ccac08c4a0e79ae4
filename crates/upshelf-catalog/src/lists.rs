//! The site's lists.

use upshelf_store::{List, Tx};

use crate::{Catalog, Refusal, Result};

impl Catalog {
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
