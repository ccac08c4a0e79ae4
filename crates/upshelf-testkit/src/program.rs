use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
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
    /// How many lines [`answer`](Self::answer) has passed.
    heard: usize,
}

impl Program {
    /// Starts the program at `path`; its standard input is empty.
    ///
    /// Its environment is `env` and, of ours, only PATH and HOME: no setting of the developer's shell reaches a test.
    pub fn start<A: AsRef<OsStr>>(
        path: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_on(Stdio::null(), path.as_ref(), args, env)
    }

    /// Starts a program as [`start`](Self::start) does, which reads the lines that [`send`](Self::send) sends.
    pub fn start_with_input<A: AsRef<OsStr>>(
        path: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_on(Stdio::piped(), path.as_ref(), args, env)
    }

    fn start_on<A: AsRef<OsStr>>(
        input: Stdio,
        path: &Path,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(path);
        command.args(args).env_clear().envs(env.iter().copied());
        for kept in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(kept).filter(|_| env.iter().all(|(name, _)| *name != kept))
            {
                command.env(kept, value);
            }
        }
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("could not start {}: {e}", path.display()));
        let lines = Arc::default();
        listen(child.stdout.take().expect("stdout is piped"), &lines);
        listen(child.stderr.take().expect("stderr is piped"), &lines);
        Self { child, lines, heard: 0 }
    }

    /// Sends a line to its standard input.
    ///
    /// # Panics
    /// When it was not started [with input](Self::start_with_input), or reads no more.
    pub fn send(&mut self, line: &str) {
        let sent = self.child.stdin.as_mut().map(|input| writeln!(input, "{line}"));
        assert!(
            matches!(sent, Some(Ok(()))),
            "it does not read what it is sent; it printed:\n{}",
            self.lines().join("\n")
        );
    }

    /// Closes its standard input, which asks many programs to end.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the lines printed so far, on standard output and standard error together.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panics").clone()
    }

    /// Waits for a line that contains `part` and returns it, be it printed before or after the call.
    ///
    /// # Panics
    /// When `limit` passes or the program ends first; the message shows all it has printed.
    pub async fn wait_for(&mut self, part: &str, limit: Duration) -> String {
        self.find(0, part, limit).await.1
    }

    /// Waits for the next line that contains `part`: each call begins behind the line that the last one returned.
    ///
    /// # Panics
    /// When `limit` passes or the program ends first; the message shows all it has printed.
    pub async fn answer(&mut self, part: &str, limit: Duration) -> String {
        let (at, line) = self.find(self.heard, part, limit).await;
        self.heard = at + 1;
        line
    }

    /// Finds the first line from the one with number `from` on that contains `part`.
    async fn find(&mut self, from: usize, part: &str, limit: Duration) -> (usize, String) {
        let mut patience = Patience::of(limit);
        let found = |lines: Vec<String>| {
            lines.into_iter().enumerate().skip(from).find(|(_, line)| line.contains(part))
        };
        loop {
            let ended = self.child.try_wait().expect("our own child can be waited for");
            if let Some(line) = found(self.lines()) {
                return line;
            }
            // After an end the last lines may still be on their way through the pipe: those get one more look each.
            let out_of_time = !patience.more().await;
            if out_of_time || (ended.is_some() && Arc::strong_count(&self.lines) == 1) {
                if let Some(line) = found(self.lines()) {
                    return line;
                }
                let state = ended
                    .map_or_else(|| format!("still running after {limit:?}"), |status| status.to_string());
                panic!("no line with {part:?} ({state}); it printed:\n{}", self.lines().join("\n"));
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
