use upshelf_catalog::{Catalog, Notify, NotifyComment};
use upshelf_queue::{BoxError, Outcome};

/// Tells those concerned about an entry of the log. Idempotent: a member has at most one notice and one mail of an entry.
pub(crate) async fn entry(catalog: Catalog, job: Notify) -> Result<Outcome, BoxError> {
    catalog.deliver(&job).await?;
    Ok(Outcome::Done)
}

/// Tells those concerned about a comment. Idempotent: a member has at most one notice and one mail of a comment.
pub(crate) async fn comment(catalog: Catalog, job: NotifyComment) -> Result<Outcome, BoxError> {
    catalog.deliver_comment(&job).await?;
    Ok(Outcome::Done)
}
