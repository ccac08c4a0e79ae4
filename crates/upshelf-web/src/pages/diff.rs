//! Before and after, word by word.

use upshelf_catalog::{CategoryTree, SuggestionView};
use upshelf_store::{CategoryId, SuggestionKind};

/// Longer texts are shown as one change: nobody reads a diff of an essay's words.
const MOST_WORDS: usize = 600;

/// A run of words that stayed, or that are different.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) is_changed: bool,
}

/// One field of a resource before and after a suggestion.
pub(crate) struct FieldDiff {
    pub(crate) label: &'static str,
    pub(crate) before: Vec<Piece>,
    pub(crate) after: Vec<Piece>,
}

/// What a suggestion changes, field by field. An addition has no before.
pub(crate) fn of(view: &SuggestionView, tree: &CategoryTree) -> Vec<FieldDiff> {
    let (before, after) = (&view.before, &view.changes);
    let places = |ids: &Option<Vec<CategoryId>>| {
        ids.as_ref().map(|ids| ids.iter().map(|id| place(*id, tree)).collect::<Vec<_>>().join(", "))
    };
    let tags = |tags: &Option<Vec<String>>| tags.as_ref().map(|tags| tags.join(", "));
    let fields = [
        ("Title", before.title.clone(), after.title.clone()),
        ("Address", before.url.clone(), after.url.clone()),
        ("Description", before.description.clone(), after.description.clone()),
        ("Place", places(&before.category_ids), places(&after.category_ids)),
        ("Tags", tags(&before.tags), tags(&after.tags)),
    ];
    let is_new = view.kind == SuggestionKind::Add;
    fields
        .into_iter()
        .filter_map(|(label, before, after)| {
            let after = after?;
            let (before, after) = match before {
                Some(before) if !is_new => words(&before, &after),
                _ => (Vec::new(), vec![Piece { text: after, is_changed: false }]),
            };
            let is_nothing = after.iter().all(|piece| piece.text.is_empty()) && before.is_empty();
            (!is_nothing).then_some(FieldDiff { label, before, after })
        })
        .collect()
}

fn place(id: CategoryId, tree: &CategoryTree) -> String {
    tree.find(id).map_or_else(|| "a place that is gone".to_owned(), |found| found.path.join(" › "))
}

/// Compares two texts word by word: what of the first is gone, what of the second is new.
pub(crate) fn words(before: &str, after: &str) -> (Vec<Piece>, Vec<Piece>) {
    let (old, new) = (split(before), split(after));
    if old.len() > MOST_WORDS || new.len() > MOST_WORDS {
        let whole = |text: &str| vec![Piece { text: text.to_owned(), is_changed: true }];
        return (whole(before), whole(after));
    }
    // Longest common subsequence (Wagner and Fischer, 1974): kept[i][j] is its length from i and j on.
    let mut kept = vec![vec![0_u16; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            kept[i][j] = match old[i] == new[j] {
                true => kept[i + 1][j + 1] + 1,
                false => kept[i + 1][j].max(kept[i][j + 1]),
            };
        }
    }
    let (mut was, mut is) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            push(&mut was, old[i], false);
            push(&mut is, new[j], false);
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && kept[i + 1][j] >= kept[i][j + 1]) {
            push(&mut was, old[i], true);
            i += 1;
        } else {
            push(&mut is, new[j], true);
            j += 1;
        }
    }
    (was, is)
}

/// Words with the white space behind them.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive(char::is_whitespace).collect()
}

fn push(pieces: &mut Vec<Piece>, word: &str, is_changed: bool) {
    match pieces.last_mut() {
        Some(last) if last.is_changed == is_changed => last.text.push_str(word),
        _ => pieces.push(Piece { text: word.to_owned(), is_changed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[Piece]) -> String {
        pieces
            .iter()
            .map(|piece| if piece.is_changed { format!("[{}]", piece.text) } else { piece.text.clone() })
            .collect()
    }

    #[test]
    fn only_the_words_that_differ_are_marked() {
        let (was, is) = words("A fast grep for code", "A very fast grep for trees");
        assert_eq!(told(&was), "A fast grep for [code]");
        assert_eq!(told(&is), "A [very ]fast grep for [trees]");
    }

    #[test]
    fn nothing_is_lost_whatever_the_texts_are() {
        for (before, after) in [("", ""), ("", "a b"), ("a b", ""), ("a  b\n", "b a"), ("x", "x")] {
            let (was, is) = words(before, after);
            let text = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
            assert_eq!((text(&was), text(&is)), (before.to_owned(), after.to_owned()));
        }
        let long = "word ".repeat(2_000);
        assert_eq!(words(&long, &long).0.len(), 1);
    }
}
