use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use upshelf_catalog::{ImportReport, ImportRequest, preview};
use upshelf_lists::Format;

use super::format;
use crate::config::Config;
use crate::progress::Progress;
use crate::site::Site;

/// How to import.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The file, or - for standard input
    file: PathBuf,
    /// Its format; guessed from its name and content without it
    #[arg(long, value_parser = format, value_name = "markdown|netscape|json|csv")]
    format: Option<Format>,
    /// The list's slug; without it, the one list there is, or one named as the document is
    #[arg(long, value_name = "SLUG")]
    list: Option<String>,
    /// Report only, and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(import: Import, config: &Config) -> Result<()> {
    let bytes = if import.file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("could not read standard input")?;
        bytes
    } else {
        std::fs::read(&import.file).with_context(|| format!("could not read {}", import.file.display()))?
    };
    let request = ImportRequest {
        format: import.format,
        file_name: import
            .file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        list: import.list,
        by: None,
        dry_run: import.dry_run,
    };
    let progress = Progress::of("importing");
    let nothing_to_compare = config.database_file().is_some_and(|file| !file.exists());
    let report = if import.dry_run && nothing_to_compare {
        preview(bytes, &request)?
    } else {
        let site = Site::open(config).await?;
        let report = site.catalog.import(bytes, &request).await;
        site.close().await;
        report?
    };
    drop(progress);
    let text =
        if import.json { serde_json::to_string(&report)? + "\n" } else { summary(&report, import.dry_run) };
    super::print(&text);
    Ok(())
}

fn summary(report: &ImportReport, dry_run: bool) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "{} into {}: {} added, {} placed, {} unchanged, {} changed, {} removed, {} skipped\n",
        if dry_run { "would import" } else { "imported" },
        report.list,
        report.added,
        report.placed,
        report.unchanged,
        report.changed,
        report.removed,
        report.skipped.len(),
    );
    for skipped in &report.skipped {
        let _ = writeln!(text, "  line {}: skipped, {}", skipped.line, skipped.reason);
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  line {}: {}", warning.line, warning.what);
    }
    text
}
