use upshelf_catalog::{AutoApproval, Catalog};
use upshelf_queue::{BoxError, Outcome};

/// Takes a suggestion one step on. Idempotent: it acts on what the suggestion is then, under a lock.
pub(crate) async fn run(catalog: Catalog, job: AutoApproval) -> Result<Outcome, BoxError> {
    catalog.approve_by_rule(job.suggestion).await?;
    Ok(Outcome::Done)
}
