use anyhow::Result;

use crate::config::{Config, Role};

pub(super) async fn run(config: &Config) -> Result<()> {
    super::serve::run(&Config { role: Role::Worker, ..config.clone() }).await
}
