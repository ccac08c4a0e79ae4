//! Writing a list out.

use std::io::Write;

use upshelf_lists::{Entry, Format, Writer};
use upshelf_store::{List, Tx};

use crate::shelf::Tree;
use crate::{Catalog, Error, Result};

/// A list, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The format it is in.
    pub format: Format,
    /// A name for the file.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Catalog {
    /// Writes a list out: in Markdown the imported document with approved changes applied, or a fresh one when it was
    /// never imported from Markdown; in other formats what the library holds of it.
    ///
    /// # Errors
    /// A [`Refusal`](crate::Refusal) when there is no such list, or several to choose from.
    pub async fn export(&self, format: Format, list: Option<&str>) -> Result<Export> {
        let mut tx = self.store().read().await?;
        let list = self.only_list(&mut tx, list).await?;
        let bytes = match format {
            Format::Markdown => match tx.documents(list.id).await?.document {
                Some(document) => document,
                None => upshelf_lists::fresh(&list.title, self.entries_of(&mut tx, &list).await?),
            },
            Format::Netscape | Format::Json | Format::Csv => {
                let entries = self.entries_of(&mut tx, &list).await?;
                let mut bytes = Vec::new();
                write(format, &list.title, &entries, &mut bytes).expect("a Vec takes every write");
                bytes
            }
        };
        let ending = match format {
            Format::Markdown => "md",
            Format::Netscape => "html",
            Format::Json => "json",
            Format::Csv => "csv",
        };
        Ok(Export { format, file_name: format!("{}.{ending}", list.slug), bytes })
    }

    async fn entries_of(&self, tx: &mut Tx, list: &List) -> Result<Vec<Entry>, Error> {
        let tree = Tree::read(tx).await?;
        let placements = tx.list_placements(list.id).await?;
        let mut ids: Vec<_> = placements.iter().map(|placement| placement.resource_id).collect();
        ids.sort();
        ids.dedup();
        let mut resources = std::collections::HashMap::with_capacity(ids.len());
        let mut tags: std::collections::HashMap<_, Vec<String>> = std::collections::HashMap::new();
        for chunk in ids.chunks(500) {
            resources.extend(tx.list_resources_of(chunk).await?.into_iter().map(|found| (found.id, found)));
            for (id, tag) in tx.list_tags_of(chunk).await? {
                tags.entry(id).or_default().push(tag);
            }
        }
        Ok(placements
            .iter()
            .filter_map(|placement| {
                let resource = resources.get(&placement.resource_id)?;
                Some(Entry {
                    section: tree.path(placement.category_id)?.to_vec(),
                    description: resource.description.clone(),
                    tags: tags.get(&resource.id).cloned().unwrap_or_default(),
                    added: Some(resource.added_at.timestamp()),
                    ..Entry::new(&resource.title, &resource.url)
                })
            })
            .collect())
    }
}

fn write(format: Format, title: &str, entries: &[Entry], out: &mut impl Write) -> std::io::Result<()> {
    let mut writer = match format {
        Format::Netscape => Writer::netscape(out, title)?,
        Format::Csv => Writer::csv(out)?,
        Format::Json | Format::Markdown => Writer::json(out)?,
    };
    for entry in entries {
        writer.entry(entry)?;
    }
    writer.finish()?;
    Ok(())
}
