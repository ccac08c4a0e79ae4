//! How text is folded before it is indexed or searched: what people type and what stands there must become the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Folds text to lower-case words of letters and digits, one space apart: accents fall ("Français" → "francais"),
/// names that live by their punctuation keep it in letters ("C++" → "cplusplus", "F#" → "fsharp", ".NET" → "dotnet",
/// "Node.js" → "nodejs"), all other punctuation separates.
pub fn fold(text: &str) -> String {
    let chars: Vec<char> = plain(text).collect();
    let mut folded = String::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        let in_word = at > 0 && chars[at - 1].is_alphanumeric();
        let rest = &chars[at..];
        let (spelled, length) = match rest {
            [c, ..] if c.is_alphanumeric() => {
                folded.push(*c);
                at += 1;
                continue;
            }
            ['+', '+', ..] if in_word => ("plusplus ", 2),
            ['#', ..] if in_word && is_end(&rest[1..]) => ("sharp ", 1),
            ['.', 'j', 's', ..] if in_word && is_end(&rest[3..]) => ("js ", 3),
            ['.', 'n', 'e', 't', ..] if is_end(&rest[4..]) => (if in_word { "net " } else { "dotnet " }, 4),
            _ => (" ", 1),
        };
        if spelled != " " || !(folded.is_empty() || folded.ends_with(' ')) {
            folded.push_str(spelled);
        }
        at += length;
    }
    folded.truncate(folded.trim_end().len());
    folded
}

fn is_end(rest: &[char]) -> bool {
    !rest.first().is_some_and(|c| c.is_alphanumeric())
}

/// Takes accents and capitals off, and letters apart that people type as two.
fn plain(text: &str) -> impl Iterator<Item = char> {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).flat_map(|c| {
        let (first, second) = match c {
            'ß' => ('s', Some('s')),
            'æ' => ('a', Some('e')),
            'œ' => ('o', Some('e')),
            'þ' => ('t', Some('h')),
            'ø' => ('o', None),
            'ł' => ('l', None),
            'đ' | 'ð' => ('d', None),
            'ı' => ('i', None),
            'ς' => ('σ', None),
            other => (other, None),
        };
        std::iter::once(first).chain(second)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fold;

    #[test]
    fn accents_capitals_and_ligatures_fall() {
        assert_eq!(fold("Français, ÉCOLE"), "francais ecole");
        assert_eq!(fold("Straße  Łódź\tsmørrebrød Æon ﬁne"), "strasse lodz smorrebrod aeon fine");
        assert_eq!(fold("ΟΔΟΣ οδός"), "οδοσ οδοσ");
        assert_eq!(fold("  --  "), "");
    }

    #[test]
    fn names_that_live_by_their_punctuation_keep_it() {
        assert_eq!(fold("C++"), "cplusplus");
        assert_eq!(fold("c++17, C#, F#: .NET/ASP.NET"), "cplusplus 17 csharp fsharp dotnet aspnet");
        assert_eq!(fold("Node.js (D3.js)"), "nodejs d3js");
        assert_eq!(fold("issue #5, a.b, x.jsx, 1 + 1"), "issue 5 a b x jsx 1 1");
    }

    proptest! {
        #[test]
        fn folding_leaves_words_one_space_apart_and_changes_nothing_twice(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert!(folded.chars().all(|c| c == ' ' || c.is_alphanumeric()));
            prop_assert!(!folded.contains("  ") && folded.trim() == folded);
            prop_assert_eq!(fold(&folded), folded);
        }
    }
}
