//! Members' names and mail addresses, parsed once at the edge.

use unicode_normalization::UnicodeNormalization;

use crate::Fault;

/// Writes a name or a mail address as it is compared: NFKC, then lower case.
pub fn fold_name(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
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
    "abuse",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "curator",
    "deleted",
    "everyone",
    "help",
    "hostmaster",
    crate::links::NAME,
    "mail",
    "mailer-daemon",
    "member",
    "moderator",
    "noreply",
    "no-reply",
    "nobody",
    "null",
    "owner",
    "postmaster",
    "root",
    "rule",
    "security",
    "staff",
    "support",
    "sysadmin",
    "system",
    "team",
    "undefined",
    "upshelf",
    "webmaster",
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
        Err(Fault {
            field: "email",
            detail: "It must be a mail address, such as ada@example.org.".to_owned(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn username(text: &str) -> Result<Username, Fault> {
        Username::try_from(text)
    }

    #[test]
    fn names_that_look_alike_to_a_computer_share_a_key() {
        for (one, other) in [
            ("Ada", "ada"),
            ("ＡＤＡ", "ada"),
            ("José", "jose\u{301}"),
            ("ﬁnn", "finn"),
            ("Straße", "STRASSE"),
        ] {
            let keys = [one, other].map(|name| username(name).expect(name).key().to_owned());
            match one {
                // Lower case keeps the sharp s: they are two names.
                "Straße" => assert_ne!(keys[0], keys[1]),
                _ => assert_eq!(keys[0], keys[1], "{one} and {other}"),
            }
        }
        assert_eq!(username(" Ada ").expect("it is trimmed").as_str(), "Ada");
    }

    #[test]
    fn names_that_break_addresses_or_fool_people_are_refused() {
        let long = "a".repeat(33);
        let refused = [
            "a",
            "",
            "   ",
            &long,
            "a b",
            "a/b",
            "..",
            "a..",
            "-ada",
            "ada_",
            "me",
            "ME",
            "ada\0",
            "a\u{202e}da",
            "a@b",
            "аdmin",
            "a\nda",
            "<b>",
            "a?b",
            "a#b",
            "a%2f",
        ];
        for name in refused {
            assert!(username(name).is_err(), "{name:?} was taken");
        }
        for name in ["ab", "ada.l", "Ада", "x_y-z", "李小龙", "a1", &"a".repeat(32)] {
            assert!(username(name).is_ok(), "{name:?} was refused");
        }
    }

    #[test]
    fn names_that_speak_for_the_site_are_known_in_any_case() {
        assert!(username("Admin").expect("it is well formed").is_reserved());
        assert!(username("ＡＰＩ").expect("it is well formed").is_reserved());
        assert!(!username("ada").expect("it is well formed").is_reserved());
        assert!(RESERVED.iter().all(|word| fold_name(word) == *word));
    }

    #[test]
    fn addresses_that_mail_servers_refuse_are_refused() {
        for address in
            ["ada@example.org", "a.d+x@sub.example.co.uk", "ADA@EXAMPLE.ORG", "о@пример.рф", "o'n@x-y.io"]
        {
            assert!(Email::try_from(address).is_ok(), "{address} was refused");
        }
        let long = format!("{}@example.org", "a".repeat(250));
        let refused = [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@localhost",
            "a@b@c.org",
            "a b@c.org",
            ".a@c.org",
            "a..b@c.org",
            "a@-c.org",
            "a@c-.org",
            "a@c..org",
            "a@1.2.3.4",
            "a@c.org\r\nBcc: x@y.org",
            "a\0@c.org",
            "<a@c.org>",
            &long,
        ];
        for address in refused {
            assert!(Email::try_from(address).is_err(), "{address:?} was taken");
        }
        assert_eq!(Email::try_from("Ada@Example.org").expect("it is one").key(), "ada@example.org");
    }
}
