use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::error::During;
use crate::types::words;
use crate::{MemberId, Page, PageRequest, Result, Time, Tx};

words! {
    /// What a member may do.
    Role {
        /// Suggests and votes.
        Member = "member",
        /// Approves, rejects, stops and reverts, too.
        Curator = "curator",
        /// Imports, exports and looks after members and queues, too.
        Admin = "admin",
    }
}

/// A person with an account.
#[derive(Clone, Debug, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Member {
    /// Names the member.
    pub id: MemberId,
    /// The name as the member writes it; unique without regard to case.
    pub username: String,
    /// The mail address as the member writes it.
    pub email: String,
    /// The name that others read.
    pub display_name: String,
    /// What the member says about themselves, in Markdown.
    pub bio: String,
    /// What the member may do.
    pub role: Role,
    /// When the account was made.
    pub joined_at: Time,
    /// Since when the member is shut out; `null` when not.
    pub banned_at: Option<Time>,
}

/// What a new account is made of. `*_key` are the folded forms that must be unique.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Names the member.
    pub id: MemberId,
    /// The name as written.
    pub username: String,
    /// The name folded.
    pub username_key: String,
    /// The mail address as written.
    pub email: String,
    /// The mail address folded.
    pub email_key: String,
    /// What the member may do.
    pub role: Role,
    /// The password's hash, in PHC format.
    pub password_hash: String,
    /// When the account is made.
    pub joined_at: Time,
}

impl MemberId {
    /// The member in whose name the link check suggests: no person, nobody signs in as it, and it is not counted.
    pub const LINK_CHECK: MemberId =
        MemberId(uuid::Uuid::from_u128(0x0000_0000_0000_7000_8000_6c69_6e6b_7321));
}

const COLUMNS: &str = "id, username, email, display_name, bio, role, joined_at, banned_at";

impl Tx {
    /// Adds a member.
    ///
    /// # Errors
    /// [`Error::Taken`](crate::Error::Taken) when another member has the name or the mail address.
    pub async fn add_member(&mut self, new: &NewMember) -> Result<()> {
        const SQL: &str =
            "INSERT INTO members (id, username, username_key, email, email_key, display_name, bio, role,
                password_hash, joined_at, notice_seq)
            VALUES ($1, $2, $3, $4, $5, $2, '', $6, $7, $8, 0)";
        on!(self, db => sqlx::query(SQL)
            .bind(new.id)
            .bind(&new.username)
            .bind(&new.username_key)
            .bind(&new.email)
            .bind(&new.email_key)
            .bind(new.role)
            .bind(&new.password_hash)
            .bind(new.joined_at)
            .execute(db)
            .await
            .map(|_| ()))
        .during("add a member")
    }

    /// Finds a member.
    pub async fn find_member(&mut self, id: MemberId) -> Result<Option<Member>> {
        const SQL: &str = "SELECT id, username, email, display_name, bio, role, joined_at, banned_at
            FROM members WHERE id = $1";
        on!(self, db => sqlx::query_as(SQL).bind(id).fetch_optional(db).await).during("find a member")
    }

    /// Finds the member with the folded name or the folded mail address `login`, with the password's hash.
    pub async fn find_login(&mut self, login: &str) -> Result<Option<(Member, String)>> {
        #[derive(sqlx::FromRow)]
        struct Row {
            #[sqlx(flatten)]
            member: Member,
            password_hash: String,
        }
        const SQL: &str =
            "SELECT id, username, email, display_name, bio, role, joined_at, banned_at, password_hash
            FROM members WHERE username_key = $1 OR email_key = $1";
        let row: Option<Row> = on!(self, db => sqlx::query_as(SQL).bind(login).fetch_optional(db).await)
            .during("find a login")?;
        Ok(row.map(|row| (row.member, row.password_hash)))
    }

    /// Finds the member with the folded name `username_key`.
    pub async fn find_member_named(&mut self, username_key: &str) -> Result<Option<Member>> {
        const SQL: &str = "SELECT id, username, email, display_name, bio, role, joined_at, banned_at
            FROM members WHERE username_key = $1";
        on!(self, db => sqlx::query_as(SQL).bind(username_key).fetch_optional(db).await)
            .during("find a member by name")
    }

    /// Finds the members with these ids, in no order.
    pub async fn list_members_of(&mut self, ids: &[MemberId]) -> Result<Vec<Member>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM members WHERE id IN (");
            let mut list = sql.separated(", ");
            for id in ids {
                list.push_bind(id);
            }
            sql.push(")");
            sql.build_query_as().fetch_all(db).await
        })
        .during("list members by id")
    }

    /// Lists members in the order they joined.
    pub async fn list_members(&mut self, page: &PageRequest) -> Result<Page<Member>> {
        let after: Option<MemberId> = page.after()?;
        let rows = on!(self, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(COLUMNS).push(" FROM members");
            if let Some(after) = after {
                sql.push(" WHERE id > ").push_bind(after);
            }
            sql.push(" ORDER BY id LIMIT ").push_bind(page.fetch());
            sql.build_query_as().fetch_all(db).await
        })
        .during("list members")?;
        Ok(page.page(rows, |member: &Member| member.id))
    }

    /// Counts the members, and those among them with `role`.
    pub async fn count_members(&mut self, role: Role) -> Result<(i64, i64)> {
        const SQL: &str =
            "SELECT COUNT(*), COUNT(CASE WHEN role = $1 THEN 1 END) FROM members WHERE id <> $2";
        on!(self, db => sqlx::query_as(SQL).bind(role).bind(MemberId::LINK_CHECK).fetch_one(db).await)
            .during("count members")
    }

    /// Counts the admins who are not shut out, beside this member.
    pub async fn count_active_admins(&mut self, beside: MemberId) -> Result<i64> {
        const SQL: &str =
            "SELECT COUNT(*) FROM members WHERE role = 'admin' AND banned_at IS NULL AND id <> $1";
        on!(self, db => sqlx::query_scalar(SQL).bind(beside).fetch_one(db).await).during("count admins")
    }

    /// Changes what others read about a member; `None` leaves a value as it is. False when there is no such member.
    pub async fn change_profile(
        &mut self,
        id: MemberId,
        display_name: Option<&str>,
        bio: Option<&str>,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE members SET display_name = COALESCE($2, display_name), bio = COALESCE($3, bio) WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(display_name).bind(bio).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("change a profile")
    }

    /// Changes what a member may do. False when there is no such member.
    pub async fn change_role(&mut self, id: MemberId, role: Role) -> Result<bool> {
        const SQL: &str = "UPDATE members SET role = $2 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(role).execute(db).await.map(|done| done.rows_affected() > 0))
            .during("change a role")
    }

    /// Replaces a member's password hash. False when there is no such member.
    pub async fn change_password_hash(&mut self, id: MemberId, hash: &str) -> Result<bool> {
        const SQL: &str = "UPDATE members SET password_hash = $2 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(hash).execute(db).await.map(|done| done.rows_affected() > 0))
            .during("change a password hash")
    }

    /// Replaces a member's password hash while it still is `old`. False when it is not, or there is no such member.
    pub async fn replace_password_hash(&mut self, id: MemberId, old: &str, new: &str) -> Result<bool> {
        const SQL: &str = "UPDATE members SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
        on!(self, db => sqlx::query(SQL).bind(id).bind(old).bind(new).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("replace a password hash")
    }

    /// Gives a member's password hash.
    pub async fn find_password_hash(&mut self, id: MemberId) -> Result<Option<String>> {
        const SQL: &str = "SELECT password_hash FROM members WHERE id = $1";
        on!(self, db => sqlx::query_scalar(SQL).bind(id).fetch_optional(db).await)
            .during("find a password hash")
    }

    /// Shuts a member out (`Some`) or lets them in again (`None`). False when there is no such member.
    pub async fn change_ban(&mut self, id: MemberId, banned_at: Option<Time>) -> Result<bool> {
        const SQL: &str = "UPDATE members SET banned_at = $2 WHERE id = $1";
        on!(self, db => sqlx::query(SQL).bind(id).bind(banned_at).execute(db).await
            .map(|done| done.rows_affected() > 0))
        .during("change a ban")
    }
}
