use upshelf_catalog::{Catalog, Notify, NotifyComment, NotifyVotes};
use upshelf_queue::{BoxError, Context, Outcome};

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

/// Tells those concerned how many people voted. Idempotent: a member has at most one notice and one mail of so many votes.
pub(crate) async fn votes(catalog: Catalog, job: NotifyVotes) -> Result<Outcome, BoxError> {
    catalog.deliver_votes(&job).await?;
    Ok(Outcome::Done)
}

/// Looks for votes that nobody was told of. Idempotent: how many were told is noted with the jobs that tell them.
pub(crate) async fn tell_of_votes(catalog: Catalog, context: Context) -> Result<Outcome, BoxError> {
    let told = catalog.tell_of_votes().await?;
    if told > 0 {
        context.log(format!("{told} suggestions have new votes"));
    }
    Ok(Outcome::Done)
}
