//! Texts that come from people, parsed once at the edge: the inside never checks them again.

use std::fmt;

use crate::{Fault, Refusal};

/// Gathers what is wrong with several fields, so that a form is answered once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Gives the value, or keeps what is wrong with it.
    pub fn take<T>(&mut self, parsed: Result<T, Fault>) -> Option<T> {
        parsed.map_err(|fault| self.0.push(fault)).ok()
    }

    /// Gives the values, or keeps what is wrong with them; an absent one stays absent.
    pub fn take_some<T>(&mut self, parsed: Option<Result<T, Fault>>) -> Option<T> {
        parsed.and_then(|parsed| self.take(parsed))
    }

    /// Adds what is wrong with a field.
    pub fn add(&mut self, field: &'static str, detail: impl Into<String>) {
        self.0.push(Fault { field, detail: detail.into() });
    }

    /// Refuses if anything was wrong.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.0)) }
    }

    /// Refuses, when it is known that something was wrong.
    pub fn refuse(self) -> Refusal {
        Refusal::Invalid(self.0)
    }
}

impl Fault {
    /// Says the same about the field as another request calls it.
    #[must_use]
    pub fn named(self, field: &'static str) -> Fault {
        Fault { field, ..self }
    }
}

/// Refuses what no form of writing needs and PostgreSQL or a terminal may choke on.
fn is_control(c: char) -> bool {
    // U+202A–202E and U+2066–2069 turn the direction of the text that follows, other people's included.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks one line: trimmed, `min` to `max` characters.
fn line(field: &'static str, text: &str, min: usize, max: usize) -> Result<String, Fault> {
    let text = text.trim();
    if text.chars().any(is_control) {
        return Err(Fault { field, detail: "It must be one line without control characters.".to_owned() });
    }
    length(field, text, min, max)
}

/// Checks some paragraphs: line ends made `\n`, trimmed, `min` to `max` characters.
fn paragraphs(field: &'static str, text: &str, min: usize, max: usize) -> Result<String, Fault> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    if text.chars().any(|c| is_control(c) && !matches!(c, '\n' | '\t')) {
        return Err(Fault { field, detail: "It must be without control characters.".to_owned() });
    }
    length(field, text, min, max)
}

fn length(field: &'static str, text: &str, min: usize, max: usize) -> Result<String, Fault> {
    let count = text.chars().count();
    if (min..=max).contains(&count) {
        return Ok(text.to_owned());
    }
    let detail = match min {
        0 => format!("It can have up to {max} characters; it has {count}."),
        _ => format!("It must have {min} to {max} characters; it has {count}."),
    };
    Err(Fault { field, detail })
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $field:literal, $check:ident $min:literal..=$max:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The least characters it can have.
            pub const MIN: usize = $min;
            /// The most characters it can have.
            pub const MAX: usize = $max;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text itself.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Fault;
            fn try_from(text: &str) -> Result<Self, Fault> {
                $check($field, text, $min, $max).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// The name of a collection: one line.
    Title: "title", line 1..=200;
    /// What a collection is for: some Markdown, possibly empty.
    About: "description", paragraphs 0..=4_000;
    /// A comment: some Markdown.
    Body: "body", paragraphs 1..=10_000;
    /// Why somebody does something: some Markdown, possibly empty.
    Reason: "reason", paragraphs 0..=2_000;
    /// The name that others read: one line.
    DisplayName: "display_name", line 1..=64;
    /// What a member says about themselves: some Markdown, possibly empty.
    Bio: "bio", paragraphs 0..=2_000;
    /// What an API key is called: one line.
    KeyName: "name", line 1..=64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_no_line_ends_and_texts_have_only_unix_ones() {
        assert!(Title::try_from("a\nb").is_err());
        assert!(Title::try_from("   ").is_err());
        assert!(Title::try_from("a\u{202e}b").is_err());
        assert_eq!(Title::try_from("  Loom ").expect("it is trimmed").as_str(), "Loom");
        assert_eq!(Body::try_from("a\r\nb\rc").expect("it is text").as_str(), "a\nb\nc");
        assert!(Body::try_from("a\0b").is_err());
        assert!(About::try_from("").is_ok());
        assert!(Title::try_from("é".repeat(200).as_str()).is_ok());
        let fault = Title::try_from("é".repeat(201).as_str()).expect_err("it is too long");
        assert_eq!(
            (fault.field, fault.detail.as_str()),
            ("title", "It must have 1 to 200 characters; it has 201.")
        );
    }

    #[test]
    fn every_fault_of_a_form_is_told_at_once() {
        let mut faults = Faults::default();
        assert!(faults.take(Title::try_from("")).is_none());
        assert!(faults.take(Bio::try_from("fine")).is_some());
        assert!(faults.take(KeyName::try_from("").map_err(|fault| fault.named("key_name"))).is_none());
        let Err(Refusal::Invalid(found)) = faults.finish() else { panic!("there are faults") };
        assert_eq!(found.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["title", "key_name"]);
    }
}
