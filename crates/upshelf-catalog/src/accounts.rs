//! Accounts: set-up, registering, signing in, passwords. Sessions are another crate's.

use std::sync::atomic::Ordering;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use upshelf_store::{Member, MemberId, NewMember, Page, PageRequest, Role};

use crate::names::{Email, Username, fold_name};
use crate::new_password::NewPassword;
use crate::passwords::Match;
use crate::texts::Faults;
use crate::{Catalog, Error, Fault, Refusal, Result};

/// What a new account is made of, as written.
#[derive(Clone)]
pub struct NewAccount {
    /// The name.
    pub username: String,
    /// The mail address.
    pub email: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccount").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An account with everything parsed.
struct Account {
    username: Username,
    email: Email,
    password: NewPassword,
}

/// Who chooses a username.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chooser {
    /// Anybody who comes along.
    Stranger,
    /// Whoever runs the site.
    Host,
}

impl NewAccount {
    fn parse(&self, chooser: Chooser) -> Result<Account, Refusal> {
        let mut faults = Faults::default();
        let username = faults.take(Username::try_from(self.username.as_str()));
        if chooser == Chooser::Stranger && username.as_ref().is_some_and(Username::is_reserved) {
            faults.add("username", "This name is not free.");
        }
        let email = faults.take(Email::try_from(self.email.as_str()));
        let own_names = [self.username.trim(), self.email.trim()];
        let password = faults.take(NewPassword::parse(&self.password, &own_names));
        match (username, email, password) {
            (Some(username), Some(email), Some(password)) => {
                faults.finish()?;
                Ok(Account { username, email, password })
            }
            _ => Err(faults.refuse()),
        }
    }
}

/// The setting whose row the one set-up of a site takes.
const SET_UP: &str = "set_up_by";

/// How a name that is taken becomes an answer.
pub(crate) fn taken(error: upshelf_store::Error) -> Error {
    match error {
        upshelf_store::Error::Taken(unique) => Refusal::Taken(unique).into(),
        other => other.into(),
    }
}

impl Catalog {
    /// Says whether the site has no admin yet.
    pub async fn set_up_needed(&self) -> Result<bool> {
        // A site that once has an admin keeps one.
        if self.inner.has_admin.load(Ordering::Acquire) {
            return Ok(false);
        }
        let (_, admins) = self.store().read().await?.count_members(Role::Admin).await?;
        self.inner.has_admin.store(admins > 0, Ordering::Release);
        Ok(admins == 0)
    }

    /// Makes the first admin, once, for whoever knows the set-up code.
    ///
    /// # Errors
    /// [`Refusal::SetUp`] when there is an admin already or the code is wrong; [`Refusal::Invalid`],
    /// [`Refusal::Taken`]; [`Error::Busy`].
    pub async fn set_up(&self, code: &str, new: NewAccount) -> Result<Member> {
        const DONE: Refusal = Refusal::SetUp("This site is set up.");
        if !self.set_up_needed().await? {
            return Err(DONE.into());
        }
        let right = self.settings().set_up_code.as_deref().is_some_and(|right| is_same(right, code));
        if !right {
            return Err(Refusal::SetUp("This is not the set-up code.").into());
        }
        let account = new.parse(Chooser::Host)?;
        let hash = self.inner.passwords.hash(account.password.as_bytes()).await?;
        let member = self.row(account, Role::Admin, hash);

        let mut tx = self.store().write().await?;
        // Of two set-ups at the same time, the second waits for this row and then finds the first one's id in it.
        let id = member.id.to_string();
        if tx.keep_setting(SET_UP, &id).await? != id || tx.count_members(Role::Admin).await?.1 > 0 {
            return Err(DONE.into());
        }
        tx.add_member(&member).await.map_err(taken)?;
        let member = tx.find_member(member.id).await?.ok_or(Refusal::NotFound("member"))?;
        tx.commit().await?;
        self.inner.has_admin.store(true, Ordering::Release);
        Ok(member)
    }

    /// Makes an account for whoever comes along.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with every fault, [`Refusal::Taken`], [`Error::Busy`].
    pub async fn register(&self, new: NewAccount) -> Result<Member> {
        self.add_member(new.parse(Chooser::Stranger)?, Role::Member).await
    }

    /// Makes an account with any role, for those who run the site.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn create_member(&self, new: NewAccount, role: Role) -> Result<Member> {
        self.add_member(new.parse(Chooser::Host)?, role).await
    }

    async fn add_member(&self, account: Account, role: Role) -> Result<Member> {
        let hash = self.inner.passwords.hash(account.password.as_bytes()).await?;
        let member = self.row(account, role, hash);
        let mut tx = self.store().write().await?;
        tx.add_member(&member).await.map_err(taken)?;
        let member = tx.find_member(member.id).await?.ok_or(Refusal::NotFound("member"))?;
        tx.commit().await?;
        Ok(member)
    }

    fn row(&self, account: Account, role: Role, password_hash: String) -> NewMember {
        NewMember {
            id: self.clock().id(),
            username: account.username.as_str().to_owned(),
            username_key: account.username.key().to_owned(),
            email: account.email.as_str().to_owned(),
            email_key: account.email.key().to_owned(),
            role,
            password_hash,
            joined_at: self.clock().now(),
        }
    }

    /// Finds the member with this name or mail address and this password; `None` for an unknown one and for a wrong
    /// password, in the same time.
    ///
    /// # Errors
    /// [`Refusal::Banned`], only to who knows the password; [`Error::Busy`].
    pub async fn login(&self, login: &str, password: &str) -> Result<Option<Member>> {
        let key = fold_name(login.trim());
        // No name holds a NUL, and PostgreSQL refuses to look for one.
        let found = match key.contains('\0') {
            true => None,
            false => self.store().read().await?.find_login(&key).await?,
        };
        let hash = found.as_ref().map(|(_, hash)| hash.as_str());
        let matched = self.inner.passwords.verify(password.as_bytes(), hash).await?;
        let Some((member, hash)) = found.filter(|_| matched != Match::Wrong) else { return Ok(None) };
        if member.banned_at.is_some() {
            return Err(Refusal::Banned.into());
        }
        if matched == Match::RightButWeak {
            self.harden(member.id, password, &hash).await;
        }
        Ok(Some(member))
    }

    /// Replaces a hash by a stronger one of the same password. Signing in does not depend on it.
    async fn harden(&self, id: MemberId, password: &str, old: &str) {
        let replaced: Result<()> = async {
            let new = self.inner.passwords.hash(password.as_bytes()).await?;
            let mut tx = self.store().write().await?;
            tx.replace_password_hash(id, old, &new).await?;
            Ok(tx.commit().await?)
        }
        .await;
        if let Err(error) = replaced {
            tracing::warn!(member = %id, error = &error as &dyn std::error::Error, "could not harden a password's hash");
        }
    }

    /// Changes a member's password. Ending the member's other sessions is the caller's.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] of the field `new_password`, [`Refusal::WrongPassword`], [`Error::Busy`].
    pub async fn change_password(&self, member: &Member, current: &str, new: &str) -> Result<()> {
        let own_names = [member.username.as_str(), &member.email, &member.display_name];
        let new = NewPassword::parse(new, &own_names)
            .map_err(|fault: Fault| Refusal::Invalid(vec![fault.named("new_password")]))?;
        let old = self.store().read().await?.find_password_hash(member.id).await?;
        if self.inner.passwords.verify(current.as_bytes(), old.as_deref()).await? == Match::Wrong {
            return Err(Refusal::WrongPassword.into());
        }
        let hash = self.inner.passwords.hash(new.as_bytes()).await?;
        let mut tx = self.store().write().await?;
        let old = old.as_deref().unwrap_or_default();
        if !tx.replace_password_hash(member.id, old, &hash).await? {
            // Another request has changed it meanwhile: what was given is not the current one any more.
            return Err(Refusal::WrongPassword.into());
        }
        Ok(tx.commit().await?)
    }

    /// Finds a member, as they were at most five seconds ago; a change made through this process is seen at once.
    pub async fn find_member(&self, id: MemberId) -> Result<Option<Member>> {
        let faces = &self.inner.faces;
        if let Some(member) = faces.find(id) {
            return Ok(Some(member));
        }
        let glance = faces.glance();
        let found = self.store().read().await?.find_member(id).await?;
        if let Some(member) = &found {
            faces.remember(member.clone(), &glance);
        }
        Ok(found)
    }

    /// Lists members in the order they joined.
    pub async fn members(&self, page: &PageRequest) -> Result<Page<Member>> {
        Ok(self.store().read().await?.list_members(page).await?)
    }
}

/// Compares in a time that does not depend on the texts.
fn is_same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| digest(&SHA256, text.as_bytes()));
    verify_slices_are_equal(one.as_ref(), other.as_ref()).is_ok()
}
