use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::places::temp_dir;
use crate::{Program, aside};

/// A Node project with the packages of `scripts/node`, to run what people use beside Upshelf.
///
/// The packages are installed once per lock file, by `scripts/test` or by the first test that wants them, into the
/// cache folder; nothing is left in the repository.
#[derive(Debug)]
pub struct Node {
    /// Has `node_modules`, and a link to the folder of each script that was started.
    folder: TempDir,
}

impl Node {
    /// Makes a project in which scripts find these packages, each with the beginning of its version:
    /// `&[("ioredis", "5"), ("bentocache", "1.6")]`.
    ///
    /// # Panics
    /// When there is no Node (the message says how to install it), or `scripts/node/package.json` names another version.
    pub async fn project(packages: &[(&str, &str)]) -> Self {
        let modules = aside(installed).await.unwrap_or_else(|reason| panic!("{reason}"));
        for (package, wanted) in packages {
            let about = std::fs::read_to_string(modules.join(package).join("package.json"));
            let about = about.unwrap_or_else(|e| panic!("scripts/node/package.json lacks {package}: {e}"));
            let version = format!("\"version\": \"{wanted}");
            let is_wanted = about.split(&version).nth(1).is_some_and(|rest| rest.starts_with(['.', '"']));
            assert!(is_wanted, "scripts/node/package.json has another version of {package} than {wanted}");
        }
        let folder = temp_dir();
        symlink(modules, folder.path().join("node_modules")).expect("an empty folder takes a link");
        Self { folder }
    }

    /// Starts a script (its path from the root of the test's package, as `tests/seed.mjs`), which talks to the test by
    /// [lines](Program::send). It may import the packages, and other scripts of its folder.
    ///
    /// # Panics
    /// When there is no such script.
    pub fn start(&self, script: impl AsRef<Path>, args: &[&str], env: &[(&str, &str)]) -> Program {
        let script = script.as_ref();
        let found = script.canonicalize().unwrap_or_else(|e| panic!("no script {}: {e}", script.display()));
        let (Some(folder), Some(name)) = (found.parent(), found.file_name()) else {
            panic!("{} is no file", script.display());
        };
        // Node looks for packages from the script's folder upwards, so the script is run from within this project.
        let link = self.folder.path().join(folder.display().to_string().replace('/', "-"));
        if !link.exists() {
            symlink(folder, &link).expect("the project's folder takes a link");
        }
        let path = link.join(name).display().to_string();
        let mut all = vec!["--preserve-symlinks", "--preserve-symlinks-main", &path];
        all.extend(args);
        Program::start_with_input("node", all, env)
    }
}

/// Finds the installed packages, which takes a moment unless they are the first; blocks.
fn installed() -> Result<PathBuf, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/node/install");
    let done = Command::new(script).output().map_err(|e| format!("could not run {script}: {e}"))?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    Ok(Path::new(String::from_utf8_lossy(&done.stdout).trim_end()).join("node_modules"))
}
