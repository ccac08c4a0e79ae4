use upshelf_catalog::{AutoApproval, Catalog};
use upshelf_queue::{BoxError, Context, Outcome};

/// Takes a suggestion one step on. Idempotent: it acts on what the suggestion is then, under a lock.
pub(crate) async fn run(catalog: Catalog, job: AutoApproval) -> Result<Outcome, BoxError> {
    catalog.approve_by_rule(job.suggestion).await?;
    Ok(Outcome::Done)
}

/// Takes on what is due and has no job any more. Idempotent: each one is acted on as it is then.
pub(crate) async fn sweep(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let due = catalog.sweep_approvals().await?;
    context.log(format!("{due} suggestions were due"));
    Ok(Outcome::Done)
}
