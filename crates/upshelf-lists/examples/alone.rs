//! Reads a list, bookmarks, JSON or CSV and prints what is in it as JSON: `cargo run --example alone FILE`.

use std::error::Error;

use upshelf_lists::{Format, read};

const SAMPLE: &str =
    "# Kitchen\n\n## Knives\n\n- [Whetstone](https://whetstone.example) - How to sharpen. `CC0`\n- No link\n";

fn main() -> Result<(), Box<dyn Error>> {
    let (name, bytes) = match std::env::args().nth(1) {
        Some(name) => (name.clone(), std::fs::read(name)?),
        None => ("sample.md".to_owned(), SAMPLE.as_bytes().to_vec()),
    };
    let reading = read(Format::guess(&name, &bytes), bytes)?;
    let report = serde_json::json!({
        "entries": reading.entries,
        "skipped": reading.skipped,
        "warnings": reading.warnings,
        "sections": reading.sections(),
    });
    println!("{report:#}");
    Ok(())
}
