//! What a subscriber is to listen to, connected or not.

use std::collections::HashSet;
use std::sync::Arc;

/// How many names one command subscribes to at most.
const PORTION: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Channel,
    Pattern,
    Sharded,
}

#[derive(Debug, Default)]
pub(crate) struct Wanted(HashSet<(Kind, Arc<str>)>);

impl Wanted {
    /// Notes what is wanted; says whether that is news.
    pub(crate) fn set(&mut self, kind: Kind, name: &Arc<str>, is_on: bool) -> bool {
        let one = (kind, Arc::clone(name));
        if is_on { self.0.insert(one) } else { self.0.remove(&one) }
    }

    pub(crate) fn has(&self, kind: Kind, name: &Arc<str>) -> bool {
        self.0.contains(&(kind, Arc::clone(name)))
    }

    /// Everything wanted, in portions that one command can take.
    pub(crate) fn portions(&self) -> Vec<(Kind, Vec<Arc<str>>)> {
        let mut portions = Vec::new();
        for kind in [Kind::Channel, Kind::Pattern, Kind::Sharded] {
            let names: Vec<_> =
                self.0.iter().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect();
            portions.extend(names.chunks(PORTION).map(|portion| (kind, portion.to_vec())));
        }
        portions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wanted_comes_back_in_portions() {
        let mut wanted = Wanted::default();
        for n in 0..1_200 {
            assert!(wanted.set(Kind::Channel, &format!("c{n}").into(), true));
        }
        assert!(!wanted.set(Kind::Channel, &"c7".into(), true), "it is wanted already");
        wanted.set(Kind::Pattern, &"p*".into(), true);
        wanted.set(Kind::Channel, &"c9".into(), false);
        let sizes: Vec<_> = wanted.portions().iter().map(|(kind, names)| (*kind, names.len())).collect();
        assert_eq!(
            sizes,
            [(Kind::Channel, 500), (Kind::Channel, 500), (Kind::Channel, 199), (Kind::Pattern, 1)]
        );
    }
}
