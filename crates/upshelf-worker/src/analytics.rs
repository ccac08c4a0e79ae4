use upshelf_catalog::{Catalog, CountUse};
use upshelf_queue::{BoxError, Context, Outcome};

/// Adds counts to the library's. Idempotent: each batch has a name and is added once.
pub(crate) async fn count(catalog: Catalog, job: CountUse) -> Result<Outcome, BoxError> {
    catalog.add_use(&job).await?;
    Ok(Outcome::Done)
}

/// Computes popularity anew. Idempotent: it depends on nothing but the counts.
pub(crate) async fn recount(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let changed = catalog.recount_popularity().await?;
    context.log(format!("{changed} resources changed"));
    Ok(Outcome::Done)
}
