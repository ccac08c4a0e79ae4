use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows on a terminal that something takes its time; in a pipe, nothing.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins with what is being done.
    pub(crate) fn of(what: &str) -> Progress {
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        let style =
            ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("the template is in order");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
