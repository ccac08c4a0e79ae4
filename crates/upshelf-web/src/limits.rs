//! What may be asked how often: each endpoint names a [`Limit`].

use std::collections::BTreeMap;

use upshelf_throttle::{Error, Policy, Rate};

/// Names the policies of an endpoint.
pub(crate) trait Limit: Send + Sync + 'static {
    /// The policies; all of them must have room.
    const POLICIES: &'static [&'static str];
    /// Whether an address is counted even when a member is signed in.
    const BY_ADDRESS: bool = false;
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = [$($policy:literal),+] $(by_address $by:literal)?;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl Limit for $name {
            const POLICIES: &'static [&'static str] = &[$($policy),+];
            $(const BY_ADDRESS: bool = $by;)?
        }
    )+};
}

limits! {
    /// Reads.
    Read = ["read"];
    /// Searches the text.
    Search = ["search"];
    /// Casts or retracts a vote.
    CastVote = ["vote"];
    /// Proposes a change.
    Suggest = ["suggest"];
    /// Writes a comment.
    Comment = ["comment"];
    /// Writes anything else.
    Write = ["write"];
    /// Proves who one is.
    Login = ["login", "login-hour"] by_address true;
    /// Makes an account.
    Register = ["register", "register-hour"] by_address true;
    /// Exchanges a refresh token.
    Refresh = ["refresh"] by_address true;
    /// Begins to watch live channels.
    Connect = ["connect"];
    /// Imports or exports a whole list.
    Import = ["import"];
}

/// Every policy there is, with its default.
const DEFAULTS: &[(&str, Rate)] = &[
    ("read", Rate::per_minute(600)),
    ("search", Rate::per_minute(120)),
    ("vote", Rate::per_minute(60)),
    ("suggest", Rate::per_hour(10)),
    ("comment", Rate::per_hour(60)),
    ("write", Rate::per_minute(120)),
    ("login", Rate::per_minute(6)),
    ("login-hour", Rate::per_hour(30)),
    ("register", Rate::per_minute(6)),
    ("register-hour", Rate::per_hour(30)),
    ("refresh", Rate::per_minute(60)),
    ("connect", Rate::per_minute(120)),
    ("import", Rate::per_hour(60)),
    (ACCOUNT, Rate::per_hour(12)),
];

/// After so many failed sign-ins the answers for one account come slowly.
pub(crate) const ACCOUNT: &str = "login-account";

/// The rates of all policies.
#[derive(Clone, Debug)]
pub struct Limits(BTreeMap<&'static str, Policy>);

impl Default for Limits {
    fn default() -> Limits {
        let named = |(name, rate): &(&'static str, Rate)| {
            (*name, Policy::new(*name, *rate).expect("the names in the table are plain"))
        };
        Limits(DEFAULTS.iter().map(named).collect())
    }
}

impl Limits {
    /// Lists the policies with their rates, by name.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, Rate)> + '_ {
        self.0.iter().map(|(name, policy)| (*name, policy.rate()))
    }

    /// Lists the policies.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> + '_ {
        self.0.values()
    }

    /// Changes the rate of a policy. False when there is none of that name.
    ///
    /// # Errors
    /// When the policy cannot be made of the rate.
    pub fn set(&mut self, name: &str, rate: Rate) -> Result<bool, Error> {
        let Some((name, _)) = self.0.get_key_value(name) else { return Ok(false) };
        let name = *name;
        self.0.insert(name, Policy::new(name, rate)?);
        Ok(true)
    }

    /// The policy of this name.
    pub(crate) fn policy(&self, name: &str) -> &Policy {
        self.0.get(name).expect("every limit is made of policies in the table")
    }

    /// The policies of a limit.
    pub(crate) fn of<L: Limit>(&self) -> Vec<&Policy> {
        L::POLICIES.iter().map(|name| self.policy(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_finds_its_policies_and_sign_ins_are_held_as_asked() {
        let limits = Limits::default();
        let count = |policies: Vec<&Policy>| policies.len();
        let all = [
            count(limits.of::<Read>()),
            count(limits.of::<Search>()),
            count(limits.of::<CastVote>()),
            count(limits.of::<Suggest>()),
            count(limits.of::<Comment>()),
            count(limits.of::<Write>()),
            count(limits.of::<Register>()),
            count(limits.of::<Refresh>()),
            count(limits.of::<Connect>()),
            count(limits.of::<Import>()),
        ];
        assert!(all.iter().all(|count| *count > 0));
        let login: Vec<String> =
            limits.of::<Login>().iter().map(|policy| policy.rate().to_string()).collect();
        assert_eq!(login, ["6/min", "30/h"]);
    }

    #[test]
    fn a_rate_can_be_set_by_its_name() {
        let mut limits = Limits::default();
        assert_eq!(limits.set("vote", Rate::per_second(3)), Ok(true));
        assert_eq!(limits.set("nothing", Rate::per_second(3)), Ok(false));
        assert_eq!(limits.policy("vote").rate(), Rate::per_second(3));
    }
}
