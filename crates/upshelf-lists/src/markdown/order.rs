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

/// The order these names are in, if they are: nine neighbours out of ten in order.
fn collation(names: &[&str], enough: usize) -> Option<Collation> {
    if names.len() < enough.max(2) {
        return None;
    }
    let sorted = |how: Collation| {
        let keys: Vec<String> = names.iter().map(|name| how.key(name)).collect();
        keys.windows(2).filter(|pair| pair[0] <= pair[1]).count()
    };
    let (written, letters) = (sorted(Collation::Written), sorted(Collation::Letters));
    let needed = ((names.len() - 1) * 9).div_ceil(10);
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
