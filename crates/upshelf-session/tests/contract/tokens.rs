//! Which access tokens are refused (ASVS 5.0, 9.1 and 9.2). Each is signed with a key that we do trust wherever that
//! is possible, so that it is the rule under test that refuses it and not a bad signature.

use crate::house::{ADA, BOB, House, START, days, is, secs};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use upshelf_session::{Error, Settings, Vault};

/// Holds the private key of a ring's active key, as a thief of the vault would.
struct Forger {
    pair: Ed25519KeyPair,
    kid: String,
    claims: Value,
}

impl Forger {
    async fn of(house: &House) -> Self {
        let tokens = house.sign_in(ADA, START).await;
        let claims = tokens.access_token.expose_secret().split('.').nth(1).expect("a JWT has three parts");
        let keys = house.vault.load_keys().await.expect("memory does not fail").expect("there is a ring");
        let ring: Value = serde_json::from_str(keys.document.expose_secret()).expect("the ring is JSON");
        let keys = ring["keys"].as_array().expect("a ring has keys");
        let active = keys.iter().find(|key| key["stage"]["active"].is_object()).expect("one is active");
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("it is base64url");
        Self {
            pair: Ed25519KeyPair::from_pkcs8(&decode(active["pkcs8"].as_str().expect("a text")))
                .expect("it is a key"),
            kid: active["kid"].as_str().expect("a text").to_owned(),
            claims: serde_json::from_slice(&decode(claims)).expect("claims are JSON"),
        }
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid})
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes())))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn with(object: &Value, member: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[member] = value;
    object
}

fn without(object: &Value, member: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("it is an object").remove(member).expect("it was there");
    object
}

#[tokio::test]
async fn the_forger_can_sign_what_is_accepted() {
    let house = House::new(Settings::default()).await;
    let forger = Forger::of(&house).await;
    let token = forger.signed(&forger.header(), &forger.claims);
    house.sessions.check(&token, START).await.expect("it is as good as ours");
}

#[tokio::test]
async fn a_header_that_is_not_ours_is_refused() {
    let house = House::new(Settings::default()).await;
    let forger = Forger::of(&house).await;
    let ours = forger.header();
    let own = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(forger.pair.public_key())});
    let headers = [
        with(&ours, "alg", json!("none")),
        with(&ours, "alg", json!("None")),
        with(&ours, "alg", json!("HS256")),
        with(&ours, "alg", json!("RS256")),
        with(&ours, "alg", json!("Ed448")),
        with(&ours, "typ", json!("JWT")),
        with(&ours, "typ", json!("rt+jwt")),
        with(&ours, "typ", json!("AT+JWT")),
        with(&ours, "kid", json!("another")),
        with(&ours, "kid", json!("../../etc/passwd")),
        with(&ours, "kid", json!(null)),
        with(&ours, "jku", json!("https://example.org/jwks.json")),
        with(&ours, "x5u", json!("https://example.org/cert.pem")),
        with(&ours, "x5c", json!(["AAAA"])),
        with(&ours, "jwk", own),
        with(&ours, "crit", json!(["exp"])),
        with(&ours, "b64", json!(false)),
        without(&ours, "alg"),
        without(&ours, "typ"),
        without(&ours, "kid"),
        json!([]),
        json!(null),
    ];
    for header in headers {
        let token = forger.signed(&header, &forger.claims);
        assert!(is!(house.sessions.check(&token, START).await, Error::Invalid), "accepted: {header}");
    }
}

#[tokio::test]
async fn claims_that_are_not_for_us_are_refused() {
    let house = House::new(Settings::default()).await;
    let forger = Forger::of(&house).await;
    let ours = &forger.claims;
    let seconds = START.as_second();
    let claims = [
        with(ours, "aud", json!("another")),
        with(ours, "aud", json!(["upshelf", "another"])),
        with(ours, "iss", json!("another")),
        with(ours, "sub", json!(BOB)),
        with(ours, "sid", json!(BOB)),
        with(ours, "sub", json!("ada")),
        with(ours, "iat", json!(seconds + 31)),
        with(ours, "exp", json!("tomorrow")),
        with(ours, "exp", json!(i64::MAX)),
        with(ours, "exp", json!(-1)),
        without(ours, "aud"),
        without(ours, "iss"),
        without(ours, "sub"),
        without(ours, "sid"),
        without(ours, "exp"),
        without(ours, "iat"),
        json!({}),
    ];
    for claims in claims {
        let token = forger.signed(&forger.header(), &claims);
        assert!(is!(house.sessions.check(&token, START).await, Error::Invalid), "accepted: {claims}");
    }
    for exp in [seconds, seconds - 1, 0] {
        let token = forger.signed(&forger.header(), &with(ours, "exp", json!(exp)));
        assert!(is!(house.sessions.check(&token, START).await, Error::Expired), "accepted: exp {exp}");
    }
}

#[tokio::test]
async fn a_signature_that_is_not_ours_is_refused() {
    let house = House::new(Settings::default()).await;
    let forger = Forger::of(&house).await;
    let message_of = |alg: &str| message(&with(&forger.header(), "alg", json!(alg)), &forger.claims);

    let unsigned = format!("{}.", message_of("none"));
    let unsigned_but_claimed = format!("{}.", message_of("EdDSA"));
    // The classic confusion: the public key, which everybody has, taken as the secret of an HMAC.
    let confused = ["HS256", "EdDSA"].map(|alg| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, forger.pair.public_key().as_ref());
        let message = message_of(alg);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    });
    let stranger = Forger { pair: Ed25519KeyPair::generate().expect("randomness"), ..forger };
    let strangers = stranger.signed(&stranger.header(), &stranger.claims);
    for token in [unsigned, unsigned_but_claimed].into_iter().chain(confused).chain([strangers]) {
        assert!(is!(house.sessions.check(&token, START).await, Error::Invalid), "accepted: {token}");
    }
}

#[tokio::test]
async fn no_changed_character_goes_unnoticed() {
    let house = House::new(Settings::default()).await;
    let token = house.sign_in(ADA, START).await.access_token.expose_secret().to_owned();
    house.sessions.check(&token, START).await.expect("it is ours, and remembered");
    for at in 0..token.len() {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        let bent = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(house.sessions.check(&bent, START).await.is_err(), "accepted with another character at {at}");
    }
}

#[tokio::test]
async fn a_retired_key_is_accepted_for_as_long_as_its_tokens_live() {
    let house = House::new(Settings::default()).await;
    let forger = Forger::of(&house).await;
    let for_ever = with(&forger.claims, "exp", json!((START + days(300)).as_second()));
    let forged = forger.signed(&forger.header(), &for_ever);
    let honest = house.sign_in(ADA, START).await;

    house.sessions.rotate_keys(START).await.expect("memory does not fail");
    let last = honest.access_expires_at - secs(1);
    house.check(&honest, last).await.expect("a rotation of keys ends no session");
    house.sessions.check(&forged, last).await.expect("its key is accepted, and it is remembered");
    assert!(is!(house.sessions.check(&forged, START + days(7) + secs(90)).await, Error::Invalid));
}

#[tokio::test]
async fn processes_follow_each_others_key_rotations() {
    let house = House::new(Settings::default()).await;
    let other = house.another_process(START).await;
    assert_eq!(house.sessions.jwks(START).await.ok(), other.sessions.jwks(START).await.ok());

    house.sessions.rotate_keys(START).await.expect("memory does not fail");
    let signed_by_next = house.sign_in(ADA, START).await;
    other.check(&signed_by_next, START).await.expect("the next key was known before");

    house.sessions.rotate_keys(START + secs(1)).await.expect("memory does not fail");
    let signed_by_unknown = house.sign_in(ADA, START + secs(1)).await;
    other.check(&signed_by_unknown, START + secs(6)).await.expect("a new key is looked up");

    let late = other.sign_in(ADA, START + secs(90)).await;
    let kid = |token: &str| token.split('.').next().map(str::to_owned);
    assert_eq!(
        kid(late.access_token.expose_secret()),
        kid(signed_by_unknown.access_token.expose_secret()),
        "a process signs with the new key within a minute"
    );
}

#[tokio::test]
async fn keys_are_rotated_when_they_are_due_and_not_before() {
    let house = House::new(Settings::default()).await;
    let before = START + days(30) - secs(1);
    assert!(!house.sessions.rotate_keys_if_due(before).await.expect("memory does not fail"));
    assert!(house.sessions.rotate_keys_if_due(START + days(30)).await.expect("memory does not fail"));
    assert!(!house.sessions.rotate_keys_if_due(START + days(30)).await.expect("memory does not fail"));
}

#[tokio::test]
async fn the_jwk_set_shows_public_keys_and_nothing_else() {
    let house = House::new(Settings::default()).await;
    house.sessions.rotate_keys(START).await.expect("memory does not fail");
    let set = house.sessions.jwks(START).await.expect("memory does not fail");
    let keys = set["keys"].as_array().expect("a JWK set has keys");
    assert_eq!(keys.len(), 3, "next, active, retired");
    for key in keys {
        let mut members: Vec<_> = key.as_object().expect("a JWK is an object").keys().collect();
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
