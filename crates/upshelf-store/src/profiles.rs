use crate::database::on;
use crate::error::During;
use crate::{MemberId, Result, Tx};

/// What a member contributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Contributions {
    /// How many suggestions the member made.
    pub suggestions: i64,
    /// How many of them were approved.
    pub approved: i64,
    /// How many public collections the member has.
    pub collections: i64,
}

impl Tx {
    /// Counts what a member contributed.
    pub async fn count_contributions(&mut self, member: MemberId) -> Result<Contributions> {
        const SQL: &str = "SELECT COUNT(*) AS suggestions,
                COUNT(CASE WHEN s.status = 'approved' THEN 1 END) AS approved,
                (SELECT COUNT(*) FROM collections c WHERE c.member_id = $1 AND c.public) AS collections
            FROM suggestions s WHERE s.author_id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(member).fetch_one(db).await).during("count contributions")
    }
}
