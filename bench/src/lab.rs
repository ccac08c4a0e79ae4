//! Where things are measured: the program, folders, databases.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::server::{Server, Settings};
use crate::table::percentile;

/// The code that makes the first admin.
pub(crate) const SETUP_CODE: &str = "a code for measuring";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        }
    }
}

impl FromStr for Engine {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Engine> {
        match text {
            "sqlite" => Ok(Engine::Sqlite),
            "postgres" => Ok(Engine::Postgres),
            other => bail!("{other:?} is neither sqlite nor postgres"),
        }
    }
}

pub(crate) struct Lab {
    program: PathBuf,
    // Declared before the folder that it runs in: dropped first.
    postgres: OnceLock<Postgres>,
    folder: TempDir,
}

impl Lab {
    pub(crate) fn open(program: PathBuf) -> Result<Lab> {
        let program = std::path::absolute(program)?;
        ensure!(program.is_file(), "there is no program at {}", program.display());
        let folder = tempfile::Builder::new().prefix("upshelf-bench-").tempdir()?;
        // The server's user must reach its own folder inside.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open)?;
        Ok(Lab { program, postgres: OnceLock::new(), folder })
    }

    /// The settings of a new, empty site.
    pub(crate) fn site(&self, engine: Engine, name: &str) -> Result<Settings> {
        let name = format!("{name}_{engine:?}").to_lowercase();
        let mut settings = vec![
            ("UPSHELF_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
            ("UPSHELF_DATA_DIR".to_owned(), self.folder.path().join(&name).display().to_string()),
            ("UPSHELF_LIMITS".to_owned(), "off".to_owned()),
            ("UPSHELF_LOG".to_owned(), "error".to_owned()),
            ("UPSHELF_SETUP_CODE".to_owned(), SETUP_CODE.to_owned()),
        ];
        if engine == Engine::Postgres {
            if self.postgres.get().is_none() {
                let started = Postgres::start(self.folder.path().join("postgres"))?;
                let _ = self.postgres.set(started);
            }
            let postgres = self.postgres.get().context("it was just started")?;
            settings.push(("UPSHELF_DATABASE_URL".to_owned(), postgres.database(&name)?));
        }
        Ok(settings)
    }

    /// Serves a site.
    pub(crate) fn serve(&self, settings: &Settings) -> Result<Server> {
        Server::start(&self.program, &["serve"], settings)
    }

    /// Brings a list into a site that is not being served, and says how long that took.
    pub(crate) fn import(&self, settings: &Settings, format: &str, list: &str) -> Result<Duration> {
        let begun = Instant::now();
        let mut program = Command::new(&self.program)
            .args(["import", "-", "--format", format])
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        program.stdin.take().expect("standard input is piped").write_all(list.as_bytes())?;
        ensure!(program.wait()?.success(), "the import failed");
        Ok(begun.elapsed())
    }

    /// How long the disk under the databases takes to keep one page.
    pub(crate) fn sync_time(&self) -> Result<Duration> {
        let file = File::create(self.folder.path().join("sync"))?;
        let mut times = Vec::with_capacity(200);
        for _ in 0..times.capacity() {
            let begun = Instant::now();
            file.write_all_at(&[7; 4_096], 0)?;
            file.sync_data()?;
            times.push(begun.elapsed());
        }
        Ok(percentile(&mut times, 0.5))
    }
}
