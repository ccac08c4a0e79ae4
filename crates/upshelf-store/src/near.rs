//! Which words of the library somebody may have meant.

use std::collections::{BinaryHeap, HashMap};

/// The most words that one term may stand for.
const MOST_WORDS: usize = 16;

/// What a word costs that has the term inside: as much as two typing errors.
const INSIDE: usize = 2;

/// A term of a query that looks for words near to it.
#[derive(Debug)]
pub(crate) struct Near {
    term: String,
    letters: Vec<char>,
    mask: u64,
    same_start: bool,
    /// The nearest words so far, the farthest on top.
    words: BinaryHeap<(usize, usize, String)>,
}

impl Near {
    /// Begins to look; `same_start` asks for words whose first letter is right.
    pub(crate) fn new(term: &str, same_start: bool) -> Near {
        Near {
            term: term.to_owned(),
            letters: term.chars().collect(),
            mask: mask(term),
            same_start,
            words: BinaryHeap::new(),
        }
    }

    /// How many typing errors are forgiven: none in short words, where everything is near to everything.
    fn forgiven(&self) -> usize {
        match self.letters.len() {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        }
    }

    /// Whether any word but one that begins with the term can be found; four bytes are four letters or two ideograms.
    pub(crate) fn is_forgiving(&self) -> bool {
        self.term.len() >= 4
    }

    /// The fewest letters that a near word has.
    pub(crate) fn shortest(&self) -> usize {
        self.letters.len() - self.forgiven()
    }

    /// Looks at a word of the library; `word_mask` is its [`mask`].
    pub(crate) fn look(&mut self, word: &str, word_mask: u64) {
        if !self.is_forgiving() || word.starts_with(&self.term) {
            return;
        }
        let Some(cost) = self.cost(word, word_mask) else { return };
        let distance = word.len().abs_diff(self.term.len());
        self.words.push((cost, distance, word.to_owned()));
        if self.words.len() > MOST_WORDS {
            self.words.pop();
        }
    }

    fn cost(&self, word: &str, word_mask: u64) -> Option<usize> {
        let forgiven = self.forgiven();
        let missing = (self.mask & !word_mask).count_ones() as usize;
        if missing > forgiven {
            return None;
        }
        if missing == 0 && word.contains(&self.term) {
            return Some(INSIDE);
        }
        if forgiven == 0 || (self.same_start && !word.starts_with(self.letters[0])) {
            return None;
        }
        edits(&self.letters, word, forgiven)
    }

    /// Gives the near words with what each costs.
    pub(crate) fn into_words(self) -> HashMap<String, usize> {
        self.words.into_iter().map(|(cost, _, word)| (word, cost)).collect()
    }
}

/// Which letters a word has, one bit each: most words are told apart by this alone.
pub(crate) fn mask(word: &str) -> u64 {
    word.chars().fold(0, |mask, c| mask | 1 << (u32::from(c) % 64))
}

/// Counts the typing errors (a letter wrong, missing, too many, or two swapped: optimal string alignment) between the
/// term and the beginning of the word that is nearest to it, if there are no more than `most`.
fn edits(term: &[char], word: &str, most: usize) -> Option<usize> {
    let n = term.len();
    let word: Vec<char> = word.chars().take(n + most).collect();
    if word.len() + most < n {
        return None;
    }
    let mut before = vec![0; n + 1];
    let mut last: Vec<usize> = (0..=n).collect();
    let mut row = vec![0; n + 1];
    let mut best = usize::MAX;
    for (j, letter) in word.iter().enumerate() {
        row[0] = j + 1;
        for i in 1..=n {
            let wrong = usize::from(term[i - 1] != *letter);
            row[i] = (last[i - 1] + wrong).min(last[i] + 1).min(row[i - 1] + 1);
            if i > 1 && j > 0 && term[i - 2] == *letter && term[i - 1] == word[j - 1] {
                row[i] = row[i].min(before[i - 2] + 1);
            }
        }
        best = best.min(row[n]);
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    (best <= most).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::{Near, edits, mask};

    fn distance(term: &str, word: &str) -> Option<usize> {
        edits(&term.chars().collect::<Vec<_>>(), word, 2)
    }

    #[test]
    fn each_kind_of_typing_error_counts_one() {
        assert_eq!(distance("django", "django"), Some(0));
        assert_eq!(distance("djengo", "django"), Some(1));
        assert_eq!(distance("djngo", "django"), Some(1));
        assert_eq!(distance("djaango", "django"), Some(1));
        assert_eq!(distance("djnago", "django"), Some(1));
        assert_eq!(distance("jdnago", "django"), Some(2));
        assert_eq!(distance("flask", "django"), None);
    }

    #[test]
    fn the_word_may_go_on_after_the_term() {
        assert_eq!(distance("kubren", "kubernetes"), Some(1));
        assert_eq!(distance("kubernetes", "kube"), None);
    }

    #[test]
    fn short_terms_forgive_nothing_and_long_ones_two_errors() {
        let near = |term: &str, word: &str| {
            let mut near = Near::new(term, false);
            near.look(word, mask(word));
            near.into_words().get(word).copied()
        };
        assert_eq!(near("vue", "vie"), None);
        assert_eq!(near("rsut", "rust"), Some(1));
        assert_eq!(near("djnagoo", "flask"), None);
        assert_eq!(near("postgers", "postgresql"), Some(1));
        assert_eq!(near("kubrentes", "kubernetes"), Some(2));
        assert_eq!(near("script", "javascript"), Some(2));
        assert_eq!(near("script", "scripting"), None, "it begins with the term: no error to forgive");
        assert_eq!(near("図書", "学校図書館"), Some(2));
    }

    #[test]
    fn the_first_letter_can_be_asked_to_be_right() {
        let mut near = Near::new("rust", true);
        for word in ["just", "rest"] {
            near.look(word, mask(word));
        }
        assert_eq!(near.into_words().into_keys().collect::<Vec<_>>(), ["rest"]);
    }
}
