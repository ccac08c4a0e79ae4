//! Any text is a frame of the live protocol: its lines are commands or malformed, and no more than there are lines.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshelf_live::wire::decode;

fuzz_target!(|frame: &str| {
    assert!(decode(frame).count() <= frame.lines().count());
});
