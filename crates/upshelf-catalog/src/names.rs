//! Words that come from people, parsed once at the edge: the inside never checks them again.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

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

/// Writes a name or a mail address as it is compared: NFKC, then lower case.
pub fn fold_name(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
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

/// A member's name: 2 to 32 letters, digits, `_`, `-` or `.`, a letter or digit at both ends.
///
/// Latin letters do not mix with those of other scripts, where many look alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

/// Names that speak for the site. Who sets it up may take one; who registers may not.
const RESERVED: &[&str] = &[
    "abuse", "admin", "administrator", "anonymous", "api", "curator", "deleted", "everyone", "help", "hostmaster",
    "mail", "mailer-daemon", "member", "moderator", "noreply", "no-reply", "nobody", "null", "owner", "postmaster",
    "root", "rule", "security", "staff", "support", "sysadmin", "system", "team", "undefined", "upshelf", "webmaster",
    "www",
];

/// The name that stands for oneself in the API, and so for nobody else.
const ONESELF: &str = "me";

impl Username {
    /// The least characters it can have.
    pub const MIN: usize = 2;
    /// The most characters it can have.
    pub const MAX: usize = 32;

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name folded: two members never share it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it speaks for the site.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.key.as_str())
    }
}

impl TryFrom<&str> for Username {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Username, Fault> {
        let fault = |detail: String| Err(Fault { field: "username", detail });
        let text: String = text.trim().nfkc().collect();
        let count = text.chars().count();
        if !(Self::MIN..=Self::MAX).contains(&count) {
            return fault(format!("It must have {} to {} characters.", Self::MIN, Self::MAX));
        }
        if !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            return fault("It can have letters, digits, “_”, “-” and “.” only.".to_owned());
        }
        if !text.starts_with(char::is_alphanumeric) || !text.ends_with(char::is_alphanumeric) {
            return fault("It must begin and end with a letter or a digit.".to_owned());
        }
        let mut letters = text.chars().filter(|c| c.is_alphabetic());
        if letters.clone().any(is_latin) && !letters.all(is_latin) {
            return fault("Its letters must be of one script.".to_owned());
        }
        let key = fold_name(&text);
        if key == ONESELF {
            return fault("This name is not free.".to_owned());
        }
        Ok(Username { text, key })
    }
}

/// Whether a letter is Latin, accents included.
fn is_latin(letter: char) -> bool {
    matches!(letter, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}') && letter != 'µ'
}

/// A mail address: something, `@`, a domain with a dot; at most 254 bytes. Whether it exists, only a mail can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

impl Email {
    /// The most bytes it can have (RFC 5321, 4.5.3.1.3, less the angle brackets).
    pub const MAX: usize = 254;

    /// The address as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address folded: two members never share it.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl TryFrom<&str> for Email {
    type Error = Fault;

    fn try_from(text: &str) -> Result<Email, Fault> {
        let text: String = text.trim().nfkc().collect();
        if text.len() <= Self::MAX && is_address(&text) {
            return Ok(Email { key: fold_name(&text), text });
        }
        Err(Fault { field: "email", detail: "It must be a mail address, such as ada@example.org.".to_owned() })
    }
}

fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let local_is_sane =
        local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom));
    let labels: Vec<&str> = domain.split('.').collect();
    let label_is_sane = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    local_is_sane
        && labels.len() >= 2
        && labels.iter().all(label_is_sane)
        && labels.last().is_some_and(|top| !top.chars().all(|c| c.is_ascii_digit()))
}

/// A password somebody chooses: 12 to 128 characters of any kind, taken as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPassword(String);

/// How many tries a guesser must need at least. Far above 10,000, so that beside the most common passwords also two
/// of them in a row, or one and a year, are refused: with twelve characters to fill, that is what people do.
const TRIES: u64 = 100_000;

/// How many characters a password must have beside its owner's names.
const BESIDE_NAMES: usize = 6;

impl NewPassword {
    /// The least characters it can have.
    pub const MIN: usize = 12;
    /// The most characters it can have.
    pub const MAX: usize = 128;

    /// Parses a password for somebody with these names.
    ///
    /// Refused is what a guesser would find within 100,000 tries, capitals or not (the 10,000 most common passwords
    /// among it), and what is hardly more than the owner's own names.
    ///
    /// # Errors
    /// A [`Fault`] of the field `password` that says what is allowed, and never what was given.
    pub fn parse(text: &str, own_names: &[&str]) -> Result<NewPassword, Fault> {
        let fault = |detail: String| Err(Fault { field: "password", detail });
        let count = text.chars().count();
        if !(Self::MIN..=Self::MAX).contains(&count) {
            return fault(format!("It must have {} to {} characters.", Self::MIN, Self::MAX));
        }
        let folded = fold_name(text);
        let own_names: Vec<String> = own_names.iter().map(|name| fold_name(name)).collect();
        let mut parts: Vec<&str> = own_names
            .iter()
            .flat_map(|name| [name.as_str(), name.split('@').next().unwrap_or_default()])
            .filter(|part| part.chars().count() >= Username::MIN)
            .collect();
        // The longest first: of a mail address, its host must not be left over.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        let rest = parts.into_iter().fold(folded.clone(), |rest, part| rest.replace(part, ""));
        if rest.chars().count() < BESIDE_NAMES && rest != folded {
            return fault("It must be more than your own names.".to_owned());
        }
        if zxcvbn::zxcvbn(&folded, &[]).guesses() <= TRIES {
            return fault("It is among the first that a guesser would try; choose another.".to_owned());
        }
        Ok(NewPassword(text.to_owned()))
    }

    /// The password, for hashing.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
