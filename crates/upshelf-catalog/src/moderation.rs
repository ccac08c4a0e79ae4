//! Looking after members: roles, shutting out, letting in again. What becomes of suggestions stands in `approval.rs`.

use serde_json::json;
use upshelf_queue::{Broker, Job, Options};
use upshelf_store::{
    Action, Actor, LogId, Member, MemberId, NewLogEntry, Role, Standing, SuggestionId, Time, Tx,
};

use crate::approval::{advance, curators_only};
use crate::invalidation::{Stale, of_profile};
use crate::jobs::connection;
use crate::texts::Reason;
use crate::{AutoApproval, Catalog, Notify, Refusal, Result};

/// The setting whose row changes of roles and bans take turns with: two admins who demote each other at the same time
/// must not leave the site without one.
const TURN: &str = "roles_changed_at";

pub(crate) fn admins_only(member: &Member) -> Result<(), Refusal> {
    not_banned(member)?;
    if member.role >= Role::Admin { Ok(()) } else { Err(Refusal::NotAllowed("admin")) }
}

pub(crate) fn not_banned(member: &Member) -> Result<(), Refusal> {
    if member.banned_at.is_none() { Ok(()) } else { Err(Refusal::Banned) }
}

impl Catalog {
    /// Changes what a member may do.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for who is no admin, [`Refusal::LastAdmin`].
    pub async fn change_role(&self, admin: &Member, id: MemberId, role: Role) -> Result<Member> {
        admins_only(admin)?;
        let now = self.clock().now();
        let mut tx = self.turn(now).await?;
        let member = tx.find_member(id).await?.ok_or(Refusal::NotFound("member"))?;
        if member.role == role {
            return Ok(member);
        }
        if member.role == Role::Admin && member.banned_at.is_none() {
            another_admin(&mut tx, id).await?;
        }
        tx.change_role(id, role).await?;
        let log = self.log_about(admin, Action::RoleChanged, now);
        let log = NewLogEntry {
            before: Some(about(&member, member.role)),
            after: Some(about(&member, role)),
            ..log
        };
        tx.add_log(&log).await?;
        self.tell(&mut tx, log.id).await?;
        let stale = self.stale(&mut tx, of_profile(id)).await?;
        tx.commit().await?;
        self.queue().wake(Notify::QUEUE);
        self.changed(id, stale).await;
        Ok(Member { role, ..member })
    }

    /// Shuts a member out and voids their votes. Ending their sessions is the caller's.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for who does not stand above the member (admins stand above admins, too),
    /// [`Refusal::LastAdmin`].
    pub async fn ban(&self, curator: &Member, id: MemberId, reason: &str) -> Result<Member> {
        curators_only(curator)?;
        not_banned(curator)?;
        let reason = Reason::try_from(reason).map_err(|fault| Refusal::Invalid(vec![fault]))?;
        let now = self.clock().now();
        let mut tx = self.turn(now).await?;
        let member = self.subordinate(&mut tx, curator, id).await?;
        if member.banned_at.is_some() {
            return Ok(member);
        }
        if member.role == Role::Admin {
            another_admin(&mut tx, id).await?;
        }
        self.shut_out(tx, curator, member, Some(reason.as_str()), now).await
    }

    /// Lets a member in again; their votes count again where suggestions are open.
    pub async fn unban(&self, curator: &Member, id: MemberId) -> Result<Member> {
        curators_only(curator)?;
        not_banned(curator)?;
        let now = self.clock().now();
        let mut tx = self.turn(now).await?;
        let member = self.subordinate(&mut tx, curator, id).await?;
        if member.banned_at.is_none() {
            return Ok(member);
        }
        self.shut_out(tx, curator, member, None, now).await
    }

    /// Shuts out (with a reason) or lets in (without), in one transaction with the votes and the log.
    async fn shut_out(
        &self,
        mut tx: Tx,
        curator: &Member,
        member: Member,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Member> {
        let banned_at = reason.map(|_| now);
        tx.change_ban(member.id, banned_at).await?;
        let standings = tx.void_votes(member.id, banned_at.is_some()).await?;
        self.look_at(&mut tx, &standings, now).await?;
        let action = if banned_at.is_some() { Action::Banned } else { Action::Unbanned };
        let log = NewLogEntry {
            after: Some(about(&member, member.role)),
            reason: reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
            ..self.log_about(curator, action, now)
        };
        tx.add_log(&log).await?;
        let stale = self.stale(&mut tx, of_profile(member.id)).await?;
        tx.commit().await?;
        self.queue().wake(AutoApproval::QUEUE);
        self.publish_standings(&standings).await;
        self.changed(member.id, stale).await;
        Ok(Member { banned_at, ..member })
    }

    /// Judges suggestions anew whose votes were recounted.
    async fn look_at(&self, tx: &mut Tx, standings: &[(SuggestionId, Standing)], now: Time) -> Result<()> {
        for (id, _) in standings {
            let Some(suggestion) = tx.find_suggestion(*id).await? else { continue };
            advance(&self.inner.services, &self.settings().rules, tx, &suggestion, now).await?;
            let job = AutoApproval { suggestion: *id };
            self.queue().enqueue(connection(tx), &job, Options::default().key(format!("look:{id}"))).await?;
        }
        Ok(())
    }

    /// Begins a transaction in which nobody else changes roles or bans.
    async fn turn(&self, now: Time) -> Result<Tx> {
        let mut tx = self.store().write().await?;
        tx.put_setting(TURN, &now.to_string()).await?;
        Ok(tx)
    }

    async fn subordinate(&self, tx: &mut Tx, curator: &Member, id: MemberId) -> Result<Member> {
        let member = tx.find_member(id).await?.ok_or(Refusal::NotFound("member"))?;
        match curator.role > member.role || curator.role == Role::Admin {
            true => Ok(member),
            false => Err(Refusal::NotAllowed("admin").into()),
        }
    }

    fn log_about(&self, by: &Member, action: Action, now: Time) -> NewLogEntry {
        let id: LogId = self.clock().id();
        NewLogEntry {
            id,
            at: now,
            actor: Actor::Member,
            member_id: Some(by.id),
            action,
            suggestion_id: None,
            resource_id: None,
            rule: None,
            standing: None,
            before: None,
            after: None,
            reason: None,
        }
    }

    async fn changed(&self, id: MemberId, stale: Stale) {
        self.inner.faces.forget(id);
        self.forget(stale).await;
        self.publish_keys(id).await;
    }
}

/// Refuses when there is no admin beside this one who can sign in.
async fn another_admin(tx: &mut Tx, but: MemberId) -> Result<()> {
    if tx.count_active_admins(but).await? > 0 { Ok(()) } else { Err(Refusal::LastAdmin.into()) }
}

/// A member, as the log remembers them.
fn about(member: &Member, role: Role) -> serde_json::Value {
    json!({ "member_id": member.id, "username": member.username, "role": role })
}
