//! The program on its command line, run to its end.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program under test.
pub(crate) const UPSHELF: &str = env!("CARGO_BIN_EXE_upshelf");

/// A list in our own words.
pub(crate) const SMALL: &str = "# A shelf\n\n## Tools\n\n- [Plane](https://example.org/plane) - Takes a little off.\n\
    - [Saw](https://example.org/saw) - Takes more off.\n\n## Places\n\n- [Loft](https://example.org/loft) - Dry.\n";

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Run {
    /// Runs the program with exactly these settings in its environment.
    pub(crate) fn of<A: AsRef<OsStr>>(
        settings: &[(&str, &str)],
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Run {
        let mut program = Command::new(UPSHELF);
        program.args(args).env_clear().envs(settings.iter().copied());
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = program.spawn().expect("the program was just built");
        let mut stdin = program.stdin.take().expect("standard input is piped");
        // A program that refuses its arguments reads nothing, and may be gone by now.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let Output { status, stdout, stderr } =
            program.wait_with_output().expect("our own child can be waited for");
        Run { code: status.code(), out: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
    }

    /// Runs the program on a data folder.
    pub(crate) fn in_folder(folder: &Path, args: &[&str]) -> Run {
        Run::of(&[("UPSHELF_DATA_DIR", &folder.to_string_lossy())], args, "")
    }

    /// The same run, which must have gone well.
    #[track_caller]
    pub(crate) fn ok(self) -> Run {
        assert_eq!(self.code, Some(0), "{}{}", self.text(), self.err);
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.text(), self.err))
    }
}

/// A file of real lists, which are too big and not ours to keep here.
pub(crate) fn real(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    assert!(file.is_file(), "this test reads the real list {name}, which is missing at {}", file.display());
    file
}

/// A path as an argument.
pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("temporary and test folders have plain names")
}
