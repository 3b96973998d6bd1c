//! Shows the progress of a run: one bar for each stage, or one line where there is no terminal.

use crate::cli::output;
use crate::cli::runs::kind_of;
use crate::run_state::EventKind;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

pub(super) struct Stages {
    screen: MultiProgress,
    current: Option<Stage>,
}

struct Stage {
    name: String,
    bar: ProgressBar,
    status: String,
}

impl Stages {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), current: None }
    }

    /// Shows one event of a run.
    pub(super) fn show(&mut self, event: &Value) {
        let data = &event["data"];
        match kind_of(event) {
            Some(EventKind::Progress) => self.progress(&data["progress"]),
            Some(EventKind::Log) => {
                if let Some(stage) = &self.current {
                    stage.bar.set_message(data["message"].as_str().unwrap_or_default().to_owned());
                }
            }
            Some(EventKind::State) | None => {}
        }
    }

    fn progress(&mut self, progress: &Value) {
        let name = progress["stage"].as_str().unwrap_or_default();
        if self.current.as_ref().is_none_or(|stage| stage.name != name) {
            self.end();
            self.current = Some(Stage::begin(&self.screen, name));
        }
        if let Some(stage) = &mut self.current {
            stage.update(progress);
        }
    }

    /// Ends the current stage and leaves its last status on the screen.
    pub(super) fn end(&mut self) {
        let Some(stage) = self.current.take() else { return };
        stage.bar.abandon();
        if self.screen.is_hidden() {
            output::say(&format!("  {:8} {}", stage.name, stage.status));
        }
    }
}

impl Stage {
    fn begin(screen: &MultiProgress, name: &str) -> Self {
        let bar = screen.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("  {prefix:8} {bar:32.green} {wide_msg}");
        bar.set_style(style.unwrap_or(ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Self { name: name.to_owned(), bar, status: String::new() }
    }

    fn update(&mut self, progress: &Value) {
        let done = progress["done"].as_u64().unwrap_or(0);
        let total = progress["total"].as_u64();
        self.bar.set_length(total.unwrap_or(done).max(1));
        self.bar.set_position(done);
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        let left = progress["etaSeconds"].as_u64().filter(|seconds| *seconds > 0);
        let left = left.map(|seconds| format!(", {seconds} s left")).unwrap_or_default();
        self.status = format!(
            "{done}{of}, {:.0} per second{left}, {} resource units",
            progress["objectsPerSecond"].as_f64().unwrap_or(0.0),
            progress["resourceUnits"].as_u64().unwrap_or(0),
        );
        self.bar.set_message(self.status.clone());
    }
}
