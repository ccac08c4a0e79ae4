use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The shell that runs one server in a folder of its own, and ends both with this process even when that is killed.
#[derive(Debug)]
pub(super) struct Keeper {
    shell: Child,
    /// Taken when the server shall go; its closing is what the shell waits for.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Keeper {
    /// Takes over `folder`; `command` is what runs the server.
    pub(super) fn of(folder: PathBuf, command: &[&str]) -> Result<Self, String> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(include_str!("keeper.sh")).arg("keeper.sh").arg(&folder).args(command);
        // Its own process group, so that an interrupt at the terminal leaves it the time to clean up.
        shell.process_group(0).current_dir("/");
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(|e| format!("could not run sh: {e}"))?;
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("stdout is piped"));
        Ok(Self { shell, orders, answers, folder })
    }

    /// Starts the server, after the end of the one that may still run; returns its process id.
    pub(super) fn run(&mut self) -> u32 {
        self.order("run").parse().expect("the shell answers with a process id")
    }

    /// Sends the server a signal.
    pub(super) fn signal(&mut self, name: &str) {
        assert_eq!(self.order(&format!("signal {name}")), "yes", "the server is not running");
    }

    /// Kills the server and waits until it is gone.
    pub(super) fn end(&mut self) {
        self.order("end");
    }

    pub(super) fn is_alive(&mut self) -> bool {
        self.order("alive") == "yes"
    }

    /// What the server has printed.
    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }

    fn order(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("taken at the end only");
        let mut answer = String::new();
        writeln!(orders, "{order}")
            .and_then(|()| self.answers.read_line(&mut answer))
            .expect("the shell lives until we let it go");
        answer.trim_end().to_owned()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.shell.wait();
    }
}
