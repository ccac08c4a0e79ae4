use upshelf_catalog::{Catalog, Notify};
use upshelf_queue::{BoxError, Outcome};

/// Tells those concerned about an entry of the log. Idempotent: a member has at most one notice of an entry.
pub(crate) async fn run(catalog: Catalog, job: Notify) -> Result<Outcome, BoxError> {
    catalog.deliver(job.log).await?;
    Ok(Outcome::Done)
}
