//! Talking about a suggestion.

use upshelf_queue::{Broker, Job, Options};
use upshelf_store::{Comment, Member, NewComment, Page, PageRequest, SuggestionId};

use crate::jobs::connection;
use crate::moderation::not_banned;
use crate::texts::Body;
use crate::views::{CommentView, Person};
use crate::{Catalog, NotifyComment, Refusal, Result};

impl Catalog {
    /// Lists the comments on a suggestion, newest last.
    pub async fn comments(&self, suggestion: SuggestionId, page: &PageRequest) -> Result<Page<CommentView>> {
        let mut tx = self.store().read().await?;
        if tx.find_standing(suggestion).await?.is_none() {
            return Err(Refusal::NotFound("suggestion").into());
        }
        Ok(tx.list_comments(suggestion, page).await?.map(CommentView::from))
    }

    /// Adds a comment; a decided suggestion can still be talked about.
    pub async fn add_comment(
        &self,
        member: &Member,
        suggestion: SuggestionId,
        body: &str,
    ) -> Result<CommentView> {
        not_banned(member)?;
        let body = Body::try_from(body).map_err(|fault| Refusal::Invalid(vec![fault]))?;
        let comment = NewComment {
            id: self.clock().id(),
            suggestion_id: suggestion,
            member_id: member.id,
            body: body.into_string(),
            created_at: self.clock().now(),
        };
        let mut tx = self.store().write().await?;
        if tx.find_standing(suggestion).await?.is_none() {
            return Err(Refusal::NotFound("suggestion").into());
        }
        tx.add_comment(&comment).await?;
        let job = NotifyComment { comment: comment.id, after: None };
        let options = Options::default().key(comment.id.to_string());
        self.queue().enqueue(connection(&mut tx), &job, options).await?;
        tx.commit().await?;
        self.queue().wake(NotifyComment::QUEUE);
        Ok(CommentView {
            id: comment.id,
            author: Person { id: member.id, username: member.username.clone() },
            body: comment.body,
            created_at: comment.created_at,
        })
    }
}

impl From<Comment> for CommentView {
    fn from(comment: Comment) -> CommentView {
        CommentView {
            id: comment.id,
            author: Person { id: comment.member_id, username: comment.username },
            body: comment.body,
            created_at: comment.created_at,
        }
    }
}
