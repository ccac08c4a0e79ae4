//! Which passwords can be chosen.

use std::fmt;

use crate::Fault;
use crate::names::{Username, fold_name};

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
mod tests {
    use super::*;

    fn password(text: &str) -> Result<NewPassword, Fault> {
        NewPassword::parse(text, &["ada.lovelace", "ada.lovelace@example.org"])
    }

    #[test]
    fn passwords_have_12_to_128_characters_of_any_kind_and_are_not_trimmed() {
        assert!(password("elevenchars").is_err());
        assert!(password("kjw8 üö漢字 ~x").is_ok());
        assert!(password(&"пароль-и-ещё ".repeat(10)).is_err());
        let spaces = " \tq9 fjord w4x ";
        assert_eq!(password(spaces).expect("spaces count").as_bytes(), spaces.as_bytes());
        assert_eq!(
            password("kjwüö漢字qp93x").expect("characters are counted, not bytes").as_bytes().len(),
            18
        );
        assert!(password(&"äx9".repeat(42)).is_ok());
    }

    #[test]
    fn the_most_common_passwords_are_refused_whatever_their_case() {
        for common in [
            "123456789012",
            "qwertyuiop123",
            "PASSWORD1234",
            "aaaaaaaaaaaa",
            "unbelievable",
            "Administrator",
            "1qaz2wsx3edc",
            "letmein12345",
            "p@ssw0rd1234",
            "passwordpassword",
        ] {
            assert!(password(common).is_err(), "{common} was taken");
        }
        for uncommon in ["correct horse battery staple", "fjord-anvil-93", "wmq84jjfnd0s"] {
            assert!(password(uncommon).is_ok(), "{uncommon} was refused");
        }
    }

    #[test]
    fn a_password_is_more_than_the_names_of_its_owner() {
        for own in ["ada.lovelace", "Ada.Lovelace1", "ada.lovelace@example.org", "ADA.LOVELACEada.lovelace"] {
            assert!(password(own).is_err(), "{own} was taken");
        }
        assert!(password("ada.lovelace likes 9 looms").is_ok());
    }

    #[test]
    fn a_password_never_prints() {
        assert!(!format!("{:?}", password("fjord-anvil-93").expect("it is good")).contains("fjord"));
    }
}
