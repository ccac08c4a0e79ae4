use std::path::Path;

use anyhow::{Context as _, Result, bail};
use upshelf_store::Store;

use crate::config::Config;
use crate::progress::Progress;

pub(super) async fn run(file: &Path, force: bool, config: &Config) -> Result<()> {
    let Some(database) = config.database_file() else {
        bail!("a PostgreSQL library is restored with pg_restore");
    };
    if let Some(folder) = database.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("could not make the data folder {}", folder.display()))?;
    }
    let progress = Progress::of("restoring");
    Store::restore(file, &database, force)
        .await
        .with_context(|| format!("could not restore {}", file.display()))?;
    drop(progress);
    eprintln!("restored into {}", database.display());
    Ok(())
}
