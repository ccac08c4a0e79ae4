use super::*;

fn username(text: &str) -> Result<Username, Fault> {
    Username::try_from(text)
}

fn password(text: &str) -> Result<NewPassword, Fault> {
    NewPassword::parse(text, &["ada.lovelace", "ada.lovelace@example.org"])
}

#[test]
fn names_that_look_alike_to_a_computer_share_a_key() {
    for (one, other) in [("Ada", "ada"), ("ＡＤＡ", "ada"), ("José", "jose\u{301}"), ("ﬁnn", "finn"), ("Straße", "STRASSE")]
    {
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
        "a", "", "   ", &long, "a b", "a/b", "..", "a..", "-ada", "ada_", "me", "ME", "ada\0", "a\u{202e}da", "a@b",
        "аdmin", "a\nda", "<b>", "a?b", "a#b", "a%2f",
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
    for address in ["ada@example.org", "a.d+x@sub.example.co.uk", "ADA@EXAMPLE.ORG", "о@пример.рф", "o'n@x-y.io"] {
        assert!(Email::try_from(address).is_ok(), "{address} was refused");
    }
    let long = format!("{}@example.org", "a".repeat(250));
    let refused = [
        "", "ada", "@example.org", "ada@", "ada@localhost", "a@b@c.org", "a b@c.org", ".a@c.org", "a..b@c.org",
        "a@-c.org", "a@c-.org", "a@c..org", "a@1.2.3.4", "a@c.org\r\nBcc: x@y.org", "a\0@c.org", "<a@c.org>", &long,
    ];
    for address in refused {
        assert!(Email::try_from(address).is_err(), "{address:?} was taken");
    }
    assert_eq!(Email::try_from("Ada@Example.org").expect("it is one").key(), "ada@example.org");
}

#[test]
fn passwords_have_12_to_128_characters_of_any_kind_and_are_not_trimmed() {
    assert!(password("elevenchars").is_err());
    assert!(password("kjw8 üö漢字 ~x").is_ok());
    assert!(password(&"пароль-и-ещё ".repeat(10)).is_err());
    let spaces = " \tq9 fjord w4x ";
    assert_eq!(password(spaces).expect("spaces count").as_bytes(), spaces.as_bytes());
    assert_eq!(password("kjwüö漢字qp93").expect("characters are counted, not bytes").as_bytes().len(), 18);
    assert!(password(&"äx9".repeat(42)).is_ok());
}

#[test]
fn the_most_common_passwords_are_refused_whatever_their_case() {
    for common in [
        "123456789012", "qwertyuiop123", "PASSWORD1234", "aaaaaaaaaaaa", "unbelievable", "Administrator", "1qaz2wsx3edc",
        "letmein12345", "p@ssw0rd1234", "passwordpassword",
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
    assert_eq!((fault.field, fault.detail.as_str()), ("title", "It must have 1 to 200 characters; it has 201."));
}

#[test]
fn every_fault_of_a_form_is_told_at_once() {
    let mut faults = Faults::default();
    assert!(faults.take(Title::try_from("")).is_none());
    assert!(faults.take(Bio::try_from("fine")).is_some());
    assert!(faults.take(password("short").map_err(|fault| fault.named("new_password"))).is_none());
    let Err(Refusal::Invalid(found)) = faults.finish() else { panic!("there are faults") };
    assert_eq!(found.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["title", "new_password"]);
}
