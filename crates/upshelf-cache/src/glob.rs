//! Redis's patterns, on bytes as Redis matches them.

/// Tells whether `pattern` covers the whole of `text`.
pub(crate) fn covers(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Only the last star ever needs another try: what stood before it has matched as early as it can.
    let mut star = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            star = Some((p, t));
        } else if let Some(width) = text.get(t).and_then(|&byte| one(&pattern[p..], byte)) {
            p += width;
            t += 1;
        } else if p == pattern.len() && t == text.len() {
            return true;
        } else {
            match star {
                Some((after, from)) if from < text.len() => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            }
        }
    }
}

/// Writes a text so that as a pattern it covers itself alone.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Matches one byte against the pattern's first element; returns how long that element is.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (width, within) = class_of(class, byte);
            within.then_some(width + 1)
        }
        [b'\\', escaped, ..] => (escaped == byte).then_some(2),
        [literal, ..] => (literal == byte).then_some(1),
    }
}

/// Reads a class behind its `[`; returns its length with the `]`, which may be missing, and whether `byte` belongs to it.
fn class_of(class: &[u8], byte: u8) -> (usize, bool) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut within = false;
    loop {
        match class[at..] {
            [] => return (at, within != negated),
            [b']', ..] => return (at + 1, within != negated),
            [b'\\', escaped, ..] => {
                within |= escaped == byte;
                at += 2;
            }
            [first, b'-', last, ..] => {
                within |= (first.min(last)..=first.max(last)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                within |= literal == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::covers;

    #[test]
    fn covers_what_redis_covers() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a", "", false),
            ("notifications:*", "notifications:42", true),
            ("notifications:*", "notifications:", true),
            ("notifications:*", "notification:42", false),
            ("*:votes", "suggestions:votes", true),
            ("*:votes", "suggestions:votes:7", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("[\\]]", "]", true),
            ("[ab", "b", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(covers(pattern, text), expected, "{pattern:?} over {text:?}");
        }
    }

    /// Stars and letters alone, by the definition.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|skipped| by_definition(rest, &text[skipped..])),
            [first, rest @ ..] => text.first() == Some(first) && by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn stars_match_as_their_definition_says(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(covers(&pattern, &text), by_definition(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
