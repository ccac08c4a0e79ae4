//! Whether names are in alphabetical order, and where a new one belongs.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Below this many names order may be chance.
const ENOUGH: usize = 4;

/// How a list compares its names.
#[derive(Clone, Copy)]
enum Collation {
    /// As written, in lower case.
    Written,
    /// Letters and digits only, accents folded.
    Letters,
}

impl Collation {
    fn key(self, name: &str) -> String {
        match self {
            Self::Written => name.to_lowercase(),
            Self::Letters => {
                let bare =
                    name.nfkd().filter(|c| !is_combining_mark(*c) && (c.is_alphanumeric() || *c == ' '));
                bare.collect::<String>().trim().to_lowercase()
            }
        }
    }
}

/// The order these names are in, if they are: one pair of neighbours in six may be astray, which by chance alone
/// hardly ever comes about.
fn collation(names: &[&str], enough: usize) -> Option<Collation> {
    if names.len() < enough.max(2) {
        return None;
    }
    let sorted = |how: Collation| {
        let keys: Vec<String> = names.iter().map(|name| how.key(name)).collect();
        keys.windows(2).filter(|pair| pair[0] <= pair[1]).count()
    };
    let (written, letters) = (sorted(Collation::Written), sorted(Collation::Letters));
    let pairs = names.len() - 1;
    let needed = pairs - pairs / 6;
    match written.max(letters) >= needed {
        true if written >= letters => Some(Collation::Written),
        true => Some(Collation::Letters),
        false => None,
    }
}

/// Whether these names are many enough, and in order.
pub(crate) fn is_alphabetical(names: &[&str]) -> Option<bool> {
    (names.len() >= ENOUGH).then(|| collation(names, ENOUGH).is_some())
}

/// How many of the names come before the new one.
///
/// `by_habit` says whether the document's other sections are alphabetical: it decides where a section is too short to
/// tell. In a section that is not alphabetical the answer is all of them.
pub(crate) fn position(names: &[&str], new: &str, by_habit: bool) -> usize {
    let how = match collation(names, ENOUGH) {
        None if by_habit && names.len() < ENOUGH => match names.len() {
            1 => Some(Collation::Written),
            _ => collation(names, 2),
        },
        how => how,
    };
    let Some(how) = how else { return names.len() };
    let new = how.key(new);
    // The place that leaves the fewest names on the wrong side, the last such one: a stray name misleads nobody.
    let mut wrong = names.iter().filter(|name| how.key(name) < new).count();
    let (mut best, mut fewest) = (0, wrong);
    for (at, name) in names.iter().enumerate() {
        match how.key(name) <= new {
            true => wrong = wrong.saturating_sub(usize::from(how.key(name) < new)),
            false => wrong += 1,
        }
        if wrong <= fewest {
            (best, fewest) = (at + 1, wrong);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{is_alphabetical, position};

    #[test]
    fn a_new_name_goes_where_it_belongs_in_spite_of_strays() {
        let names = ["Atsumeru", "Bindery", "Calibre Web", "Calibre", "Inkheart", "kiwix", "Komga", "Stump"];
        assert_eq!(is_alphabetical(&names), Some(true));
        assert_eq!(position(&names, "Midway", false), 7);
        assert_eq!(position(&names, "Zed", false), 8);
        assert_eq!(position(&names, "aaa", false), 0);
        assert_eq!(position(&names, "Komga", false), 7);
        assert_eq!(position(&["zz", "a", "b", "d", "e", "f", "g", "h"], "c", false), 3);
    }

    #[test]
    fn marks_and_accents_do_not_disturb_the_order() {
        let names = [".Adv", "`bat`", "École", "Zoé", "zu"];
        assert_eq!(position(&names, "Eclair", false), 2);
        assert_eq!(position(&names, "Fish", false), 3);
    }

    #[test]
    fn names_in_no_order_are_followed_by_the_new_one() {
        assert_eq!(is_alphabetical(&["d", "a", "c", "b"]), Some(false));
        assert_eq!(position(&["d", "a", "c", "b"], "aa", true), 4);
        assert_eq!(position(&["b", "d"], "c", false), 2);
        assert_eq!(position(&["b", "d"], "c", true), 1);
        assert_eq!(position(&[], "c", true), 0);
    }
}
