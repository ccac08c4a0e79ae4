//! What comes from outside.

use proptest::prelude::*;
use upshelf_live::wire::decode;

/// Pieces that frames are made of, and pieces that they are not made of.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"id\"",
    "\"connect\"",
    "\"subscribe\"",
    "\"history\"",
    "\"channel\"",
    "\"data\"",
    "\"recover\"",
    "\"offset\"",
    "1",
    "-1",
    "18446744073709551616",
    "1e999",
    "null",
    "true",
    "\"\\ud800\"",
    "\n",
    "\u{0}",
    "é",
];

fn frames() -> impl Strategy<Value = String> {
    let pieces =
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat());
    let cut = (r#"\{"id":[0-9]{1,12},"(connect|subscribe|refresh|history|send|x)":\{"(channel|token|limit|since)":("a"|[0-9]{1,20}|\{\})\}\}"#, 0..80_usize)
        .prop_map(|(text, at)| text.chars().take(at).collect());
    prop_oneof![pieces, cut, any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn no_frame_makes_the_decoder_panic_or_say_more_than_there_are_lines(frame in frames()) {
        prop_assert!(decode(&frame).count() <= frame.lines().count());
    }
}
