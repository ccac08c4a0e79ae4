use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::config::Config;
use crate::progress::Progress;
use crate::site::Site;

pub(super) async fn run(file: &Path, config: &Config) -> Result<()> {
    match config.database_file() {
        None => bail!("a PostgreSQL library is backed up with pg_dump"),
        Some(database) if !database.exists() => bail!("there is no library in {}", config.data_dir.display()),
        Some(_) => {}
    }
    let progress = Progress::of("backing up");
    let site = Site::open(config).await?;
    let done = site.store.backup(file).await;
    site.close().await;
    done.with_context(|| format!("could not back up into {}", file.display()))?;
    drop(progress);
    let size = std::fs::metadata(file).map(|file| file.len()).unwrap_or_default();
    eprintln!("backed up into {} ({:.1} MiB)", file.display(), size as f64 / 1_048_576.0);
    Ok(())
}
