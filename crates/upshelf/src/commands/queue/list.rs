//! `upshelf queue list`, also while Redis is away.

use anyhow::Result;
use serde_json::json;
use upshelf_catalog::Catalog;
use upshelf_queue::{Broker as _, Error};
use upshelf_web::{QueueName, QueueView};

use super::{Print, line, words};

/// What is printed, and what it lacks, if anything.
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) missing: Option<&'static str>,
}

impl Printed {
    pub(super) fn whole(text: String) -> Printed {
        Printed { text, missing: None }
    }
}

pub(super) async fn run(catalog: &Catalog, print: Print) -> Result<Printed> {
    let mut all = Vec::new();
    for name in QueueName::ALL {
        match catalog.queue().stats(name.as_str()).await {
            Ok(stats) => all.push((name, stats)),
            // Each question would wait for Redis again.
            Err(Error::Redis { .. }) => return rows(catalog, print).await,
            Err(error) => return Err(error.into()),
        }
    }
    let views = all.iter().map(|(name, stats)| QueueView::new(*name, stats.clone()));
    Ok(Printed::whole(match print.json {
        true => line(&json!({ "items": views.collect::<Vec<_>>() })),
        false => words::overview(&all),
    }))
}

/// What the database alone knows.
async fn rows(catalog: &Catalog, print: Print) -> Result<Printed> {
    let mut all = Vec::new();
    for name in QueueName::ALL {
        all.push((name, catalog.queue().row_stats(name.as_str()).await?));
    }
    let views = all.iter().map(|(name, stats)| {
        json!({
            "name": name.as_str(), "is_paused": stats.is_paused, "waiting": stats.waiting,
            "handed_over": stats.handed_over, "completed": stats.completed, "failed": stats.failed,
            "active": null, "delayed": null,
        })
    });
    let text = match print.json {
        true => line(&json!({ "items": views.collect::<Vec<_>>(), "is_complete": false })),
        false => words::rows(&all),
    };
    let missing = "Redis does not answer: which of the jobs that were handed over to it wait, run or have ended there, and how \
        many others it has, is not known";
    Ok(Printed { text, missing: Some(missing) })
}
