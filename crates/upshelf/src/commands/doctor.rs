use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, bail};
use upshelf_catalog::NO_ANSWER;
use upshelf_store::Finding;

use crate::config::Config;
use crate::progress::Progress;
use crate::site::Site;

/// How long Redis may take to be there.
const REDIS: Duration = Duration::from_secs(5);

/// Checks the library, and what Redis holds of it where there is one.
async fn check(site: &Site, repair: bool) -> Result<Vec<Finding>> {
    let mut found = site.store.check(repair).await?;
    if site.redis.is_some() {
        let is_there = async {
            while site.services.cache.is_degraded() || site.services.tally.is_degraded() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Where it does not come, that is what is found.
        let _ = tokio::time::timeout(REDIS, is_there).await;
        found.extend(site.catalog.check_shared(repair).await?);
    }
    Ok(found)
}

pub(super) async fn run(repair: bool, json: bool, config: &Config) -> Result<()> {
    if config.database_file().is_some_and(|file| !file.exists()) {
        bail!("there is no library in {}", config.data_dir.display());
    }
    let progress = Progress::of("checking");
    let site = Site::open(config).await?;
    let found = check(&site, repair).await;
    site.close().await;
    let found = found?;
    drop(progress);
    if json {
        super::print(&(serde_json::to_string(&found)? + "\n"));
    } else {
        let mut text = String::new();
        for finding in &found {
            let verdict = match (finding.count, finding.repaired) {
                (0, _) => "ok".to_owned(),
                (count, true) => format!("{count} repaired"),
                (count, false) => format!("{count} found"),
            };
            let _ = writeln!(text, "{:<48} {verdict}", finding.what);
        }
        super::print(&text);
    }
    let mut left = found.iter().filter(|finding| finding.count > 0 && !finding.repaired).peekable();
    if left.peek().is_none() {
        return Ok(());
    }
    if left.all(|finding| finding.what == NO_ANSWER) {
        bail!("Redis does not answer, so what it holds was not checked; the library itself needs no repair");
    }
    bail!(
        "the library needs repair{}",
        if repair { "; some of it cannot be done here" } else { ": upshelf doctor --repair" }
    )
}
