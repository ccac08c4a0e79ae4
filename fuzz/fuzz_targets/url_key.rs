//! A key is stable: derived from itself it is itself; and likeness does not depend on the order of asking.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshelf_lists::{Likeness, UrlKey};

fuzz_target!(|pair: (&str, &str)| {
    let (one, other) = pair;
    let Ok(key) = UrlKey::of(one) else { return };
    let stored = UrlKey::try_from(String::from(key.clone()));
    assert_eq!(stored.as_ref(), Ok(&key));
    if let Ok(other) = UrlKey::of(other) {
        assert_eq!(key.likeness(&other), other.likeness(&key));
        assert_eq!(key == other, key.likeness(&other) == Likeness::Same);
        assert!(key.likeness(&other) != Likeness::Maybe || key.bucket() == other.bucket());
    }
});
