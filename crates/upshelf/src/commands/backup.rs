use std::path::Path;

use anyhow::{Context as _, Result, bail};
use upshelf_store::Store;

use crate::config::Config;
use crate::progress::Progress;

pub(super) async fn run(file: &Path, config: &Config) -> Result<()> {
    let Some(library) = config.database_file() else {
        bail!("a PostgreSQL library is backed up with pg_dump")
    };
    if !library.exists() {
        bail!("there is no library in {}", config.data_dir.display());
    }
    let progress = Progress::of("backing up");
    let done = Store::backup(&library, file).await;
    done.with_context(|| format!("could not back up into {}", file.display()))?;
    drop(progress);
    let size = std::fs::metadata(file).map(|file| file.len()).unwrap_or_default();
    eprintln!("backed up into {} ({:.1} MiB)", file.display(), size as f64 / 1_048_576.0);
    Ok(())
}
