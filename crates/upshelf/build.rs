//! How the program is linked.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script about the target in its environment"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // Where Rust brings its own linker, which knows these.
    if (target("OS"), target("ARCH"), target("ENV")) == ("linux".into(), "x86_64".into(), "gnu".into()) {
        // Every relocation is read at the start and stays in memory: 2.4 MB, or a fiftieth of that when packed.
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        // Functions that came out alike are kept once.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
