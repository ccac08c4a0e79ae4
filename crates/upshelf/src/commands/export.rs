use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use upshelf_lists::Format;

use super::format;
use crate::config::Config;
use crate::progress::Progress;
use crate::site::Site;

/// How to export.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The format to write
    #[arg(long, value_parser = format, value_name = "markdown|netscape|json|csv", default_value = "markdown")]
    format: Format,
    /// The list's slug; may be left out where there is only one
    #[arg(long, value_name = "SLUG")]
    list: Option<String>,
    /// The file to write; without it, standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(export: Export, config: &Config) -> Result<()> {
    if config.database_file().is_some_and(|file| !file.exists()) {
        bail!("there is no library in {}", config.data_dir.display());
    }
    let progress = Progress::of("exporting");
    let site = Site::open(config).await?;
    let written = site.catalog.export(export.format, export.list.as_deref()).await;
    site.close().await;
    let written = written?;
    drop(progress);
    match export.output {
        Some(file) => {
            // Beside the file, then in its place: whoever reads it meanwhile never sees half of it.
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let part = folder.map_or_else(PathBuf::new, PathBuf::from).join(format!(
                ".{}.part",
                file.file_name().context("the output needs a file name")?.to_string_lossy()
            ));
            std::fs::write(&part, &written.bytes)
                .and_then(|()| std::fs::rename(&part, &file))
                .with_context(|| format!("could not write {}", file.display()))?;
        }
        None => match std::io::stdout().write_all(&written.bytes) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(error).context("could not write to standard output");
            }
            _ => {}
        },
    }
    Ok(())
}
