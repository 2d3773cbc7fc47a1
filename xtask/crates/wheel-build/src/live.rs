//! Progress while jobs run, on stderr: a line per job that moves in a terminal, plain lines
//! elsewhere (CI, a pipe), nothing with `--quiet`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::engine::progress::{Event, short_name};

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The engine builds.
    Build,
    /// The wheel is read and judged.
    Audit,
    /// auditwheel puts libraries into the wheel.
    Repair,
    /// A published wheel is fetched to compare with.
    Compare,
    /// The wheel runs in a clean container.
    Smoke,
    /// Wheels are installed and loaded on a system.
    Try,
    /// The wheel enters `dist/`.
    Commit,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Audit => "audit",
            Self::Repair => "repair",
            Self::Compare => "compare",
            Self::Smoke => "smoke test",
            Self::Try => "try",
            Self::Commit => "commit",
        }
    }
}

/// Is told what happens while jobs run.
pub(crate) trait Watch: Sync {
    /// A job entered a stage.
    fn stage(&self, job: &str, stage: Stage);
    /// The engine reported something for a job.
    fn event(&self, job: &str, event: &Event);
    /// Something worth a line of its own.
    fn note(&self, text: &str);
    /// A job ended after so many seconds.
    fn ended(&self, job: &str, outcome: &str, seconds: f64);
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Quiet,
    /// Stages and steps.
    Steps,
    /// Every line that the steps print, too.
    Verbose,
}

/// Shows progress to a person.
pub(crate) struct Live {
    detail: Detail,
    bars: Option<MultiProgress>,
    jobs: Mutex<BTreeMap<String, JobLine>>,
}

#[derive(Default)]
struct JobLine {
    bar: Option<ProgressBar>,
    started: BTreeMap<String, Instant>,
    /// Steps with code of the package that printed a line that is no notice of ours.
    foreign: BTreeSet<String>,
}

impl JobLine {
    /// What a script of ours says to whoever waits for it, with a line that begins with `xtask: `.
    ///
    /// A package can print such lines, too. `build.sh` and `before.sh` print another line before they run code of
    /// the package, so that only what comes before is ours. `smoke.sh` and `test.sh` have no notices.
    fn notice<'a>(&mut self, step: &str, line: &'a str) -> Option<&'a str> {
        let smoke = ["smoke-run", "/smoke.sh", "test-run", "/test.sh"];
        let smoke = smoke.iter().any(|name| step.contains(name));
        let build = ["wheel-builder", "/build.sh", "before-run", "/before.sh", "build-environment"];
        let build = build.iter().any(|name| step.contains(name));
        let notice =
            line.strip_prefix("xtask: ").filter(|_| !smoke && !self.foreign.contains(step));
        if build && notice.is_none() {
            self.foreign.insert(step.to_owned());
        }
        notice
    }
}

impl Live {
    /// Progress in as much detail as asked; moving lines only where stderr is a terminal.
    pub(crate) fn new(detail: Detail) -> Self {
        let terminal = std::io::stderr().is_terminal() && detail == Detail::Steps;
        Self { detail, bars: terminal.then(MultiProgress::new), jobs: Mutex::default() }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            _ if self.detail == Detail::Quiet => {}
            Some(bars) => bars.suspend(|| wheel_audit::report::note(text)),
            None => wheel_audit::report::note(text),
        }
    }

    /// Changes what a job's line says: in a terminal the line moves, elsewhere `plain` is printed.
    fn show(&self, job: &str, text: &str) {
        let Some(bars) = &self.bars else {
            self.line(&format!("[{job}] {text}"));
            return;
        };
        let mut jobs = self.jobs();
        let line = jobs.entry(job.to_owned()).or_default();
        let bar = line.bar.get_or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            // A template that is wrong would only cost the colour.
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(job.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(text.to_owned());
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, JobLine>> {
        self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Watch for Live {
    fn stage(&self, job: &str, stage: Stage) {
        self.show(job, stage.as_str());
    }

    fn event(&self, job: &str, event: &Event) {
        match event {
            Event::Started { name } => {
                self.jobs()
                    .entry(job.to_owned())
                    .or_default()
                    .started
                    .insert(name.clone(), Instant::now());
                if is_step(name) {
                    self.show(job, &short_name(name));
                }
            }
            Event::Done { name, cached: false } => {
                let started = self.jobs().get_mut(job).and_then(|line| line.started.remove(name));
                let took = started.map_or(0.0, |at| at.elapsed().as_secs_f64());
                if took >= 1.0 && is_step(name) && self.bars.is_none() {
                    self.line(&format!("[{job}] {} done in {took:.1} s", short_name(name)));
                }
            }
            Event::Failed { name, error } if !error.contains("context canceled") => {
                self.show(job, &format!("{} failed", short_name(name)));
            }
            Event::NoCache { name, error } => {
                self.line(&format!("[{job}] warning: without this cache: {name}: {error}"));
            }
            Event::Output { name, line } => {
                let ours = self.jobs().entry(job.to_owned()).or_default().notice(name, line);
                match ours {
                    Some(notice) => self.line(&format!("[{job}] {notice}")),
                    None if self.detail == Detail::Verbose => {
                        self.line(&format!("[{job}]   {line}"));
                    }
                    None => {}
                }
            }
            Event::Said(text) if self.detail == Detail::Verbose => {
                self.line(&format!("[{job}] {text}"));
            }
            _ => {}
        }
    }

    fn note(&self, text: &str) {
        self.line(text);
    }

    fn ended(&self, job: &str, outcome: &str, seconds: f64) {
        if let Some(bar) = self.jobs().remove(job).and_then(|line| line.bar) {
            bar.finish_and_clear();
        }
        self.line(&format!("[{job}] {outcome} ({seconds:.1} s)"));
    }
}

/// Whether BuildKit's step is one of the Dockerfile's (`[stage 2/5] ...`), not its own housekeeping.
fn is_step(name: &str) -> bool {
    name.starts_with('[') && !name.starts_with("[internal]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_cannot_speak_for_xtask() {
        let mut job = JobLine::default();
        for (build, first) in [
            ("[wheel-builder 1/1] RUN sh", "recipe: build-all"),
            ("[9/24] RUN sh /xtask/build.sh", "recipe: build-all"),
            ("[before-run 1/1] RUN sh", "before: make"),
            ("[9/24] RUN sh /xtask/before.sh", "before: make"),
        ] {
            assert_eq!(job.notice(build, "xtask: accelerated"), Some("accelerated"));
            assert_eq!(job.notice(build, first), None);
            assert_eq!(job.notice(build, "xtask: all is well"), None);
        }
        assert_eq!(job.notice("[smoke-run 1/1] RUN sh /xtask/smoke.sh", "xtask: passed"), None);
        let interpreter = "[interpreter 1/1] RUN sh /xtask/interpreter.sh";
        assert_eq!(job.notice(interpreter, "checking for gcc"), None);
        assert_eq!(
            job.notice(interpreter, "xtask: 9 files are compiled"),
            Some("9 files are compiled")
        );
    }

    #[test]
    fn a_step_is_shown_without_its_mounts() {
        let name = "[base 2/3] RUN --mount=type=secret,id=ca --mount=type=cache,target=/x sh a.sh";
        assert_eq!(short_name(name), "[base 2/3] RUN sh a.sh");
        assert!(is_step(name) && !is_step("[internal] load build definition"));
    }
}
