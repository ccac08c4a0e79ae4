use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Patience;

/// A program under test, with everything it has printed; it is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    /// Starts the program at `path`.
    ///
    /// Its environment is `env` and, of ours, only PATH and HOME: no setting of the developer's shell reaches a test.
    pub fn start<A: AsRef<OsStr>>(
        path: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
    ) -> Self {
        let path = path.as_ref();
        let mut command = Command::new(path);
        command.args(args).env_clear().envs(env.iter().copied());
        for kept in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(kept).filter(|_| env.iter().all(|(name, _)| *name != kept))
            {
                command.env(kept, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("could not start {}: {e}", path.display()));
        let lines = Arc::default();
        listen(child.stdout.take().expect("stdout is piped"), &lines);
        listen(child.stderr.take().expect("stderr is piped"), &lines);
        Self { child, lines }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the lines printed so far, on standard output and standard error together.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// Waits for a line that contains `part` and returns it.
    ///
    /// # Panics
    /// When `limit` passes or the program ends first; the message shows all it has printed.
    pub async fn wait_for(&mut self, part: &str, limit: Duration) -> String {
        let mut patience = Patience::of(limit);
        loop {
            let ended = self.child.try_wait().expect("our own child can be waited for");
            if let Some(line) = self.lines().into_iter().find(|line| line.contains(part)) {
                return line;
            }
            // After an end the last lines may still be on their way through the pipe: those get one more look each.
            let out_of_time = !patience.more().await;
            if out_of_time || (ended.is_some() && Arc::strong_count(&self.lines) == 1) {
                let lines = self.lines();
                if let Some(line) = lines.iter().find(|line| line.contains(part)) {
                    return line.clone();
                }
                let state = ended
                    .map_or_else(|| format!("still running after {limit:?}"), |status| status.to_string());
                panic!("no line with {part:?} ({state}); it printed:\n{}", lines.join("\n"));
            }
        }
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub fn kill9(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Asks it to end (SIGTERM) and waits for that.
    ///
    /// # Panics
    /// When it has not ended after `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        // Not yet waited for, so the id cannot have passed to another process.
        if self.child.try_wait().expect("our own child can be waited for").is_none() {
            let id = i32::try_from(self.child.id())
                .ok()
                .and_then(Pid::from_raw)
                .expect("a process id is a positive i32");
            kill_process(id, Signal::TERM).expect("our own child can be signalled");
        }
        self.wait(limit).await
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut patience = Patience::of(limit);
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return status;
            }
            assert!(
                patience.more().await,
                "still running after {limit:?}; it printed:\n{}",
                self.lines().join("\n")
            );
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Collects lines until the pipe closes, then lets go of the list.
fn listen(pipe: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            lines.lock().expect("no reader panics").push(text);
            line.clear();
        }
    });
}
