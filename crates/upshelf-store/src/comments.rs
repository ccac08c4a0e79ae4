use serde::Serialize;

use crate::database::on;
use crate::error::During;
use crate::{CommentId, MemberId, Page, PageRequest, Result, SuggestionId, Time, Tx};

/// What a member wrote under a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Comment {
    /// Names the comment.
    pub id: CommentId,
    /// What it is about.
    pub suggestion_id: SuggestionId,
    /// Who wrote it.
    pub member_id: MemberId,
    /// The writer's name.
    pub username: String,
    /// The words, in Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: Time,
}

/// What a new comment is made of.
#[derive(Clone, Debug)]
pub struct NewComment {
    /// Names the comment; comments sort by it.
    pub id: CommentId,
    /// What it is about.
    pub suggestion_id: SuggestionId,
    /// Who writes it.
    pub member_id: MemberId,
    /// The words, in Markdown.
    pub body: String,
    /// When it is written.
    pub created_at: Time,
}

impl Tx {
    /// Adds a comment.
    pub async fn add_comment(&mut self, new: &NewComment) -> Result<()> {
        const SQL: &str = "INSERT INTO comments (id, suggestion_id, member_id, body, created_at)
            VALUES ($1, $2, $3, $4, $5)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(new.suggestion_id)
            .bind(new.member_id)
            .bind(&new.body)
            .bind(new.created_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add a comment")
    }

    /// Lists the comments on a suggestion, newest last.
    pub async fn list_comments(
        &mut self,
        suggestion: SuggestionId,
        page: &PageRequest,
    ) -> Result<Page<Comment>> {
        const SQL: &str = "SELECT c.id, c.suggestion_id, c.member_id, m.username, c.body, c.created_at
            FROM comments c JOIN members m ON m.id = c.member_id
            WHERE c.suggestion_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3";
        let after = page.after()?.unwrap_or(CommentId(uuid::Uuid::nil()));
        let rows = on!(self, db => sqlx::query_as(SQL)
            .bind(suggestion)
            .bind(after)
            .bind(page.fetch())
            .fetch_all(db)
            .await)
        .during("list comments")?;
        Ok(page.page(rows, |comment: &Comment| comment.id))
    }

    /// Finds a comment.
    pub async fn find_comment(&mut self, id: CommentId) -> Result<Option<Comment>> {
        const SQL: &str = "SELECT c.id, c.suggestion_id, c.member_id, m.username, c.body, c.created_at
            FROM comments c JOIN members m ON m.id = c.member_id WHERE c.id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(id).fetch_optional(db).await).during("find a comment")
    }

    /// Lists the members who commented on a suggestion before a comment, each once.
    pub async fn list_commenters(
        &mut self,
        suggestion: SuggestionId,
        before: CommentId,
    ) -> Result<Vec<MemberId>> {
        const SQL: &str = "SELECT DISTINCT member_id FROM comments WHERE suggestion_id = $1 AND id < $2
            ORDER BY member_id";
        on!(self, db => sqlx::query_scalar(SQL).bind(suggestion).bind(before).fetch_all(db).await)
            .during("list commenters")
    }
}
