use std::borrow::Cow;

use crate::gcra::{Ask, Reading, Tat};
use crate::policy::Policy;

/// What one subject owes, to each policy that it owes anything.
#[derive(Debug, Default)]
pub(crate) struct Debts(Vec<Debt>);

#[derive(Debug)]
struct Debt {
    policy: Cow<'static, str>,
    tat: Tat,
}

impl Debts {
    /// Looks at a request of this cost; `None` stands for a subject that owes nothing.
    pub(crate) fn read(debts: Option<&Self>, policy: &Policy, cost: u32, now: u64) -> Reading {
        let mut debts = debts.map_or(&[][..], |debts| &debts.0).iter();
        let owed = debts.find(|debt| debt.policy == policy.name()).map(|debt| debt.tat);
        Ask::new(policy.rate(), cost).of(owed, now)
    }

    pub(crate) fn set(&mut self, policy: &Policy, tat: Tat, now: u64) {
        if let Some(debt) = self.0.iter_mut().find(|debt| debt.policy == policy.name()) {
            debt.tat = tat;
        } else {
            self.0.retain(|debt| debt.tat > now);
            self.0.push(Debt { policy: policy.shared_name(), tat });
        }
    }

    /// When nothing is owed any more, if nothing else is taken.
    pub(crate) fn free_at(&self) -> Tat {
        self.0.iter().map(|debt| debt.tat).max().unwrap_or(0)
    }
}
