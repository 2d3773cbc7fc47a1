//! Progress of running jobs on stderr: one updated line per job in a terminal, plain lines elsewhere (CI, a
//! pipe), nothing with `--quiet`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::engine::progress::{Event, short_name};

/// The current work of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The engine builds.
    Build,
    /// The audit reads the wheel.
    Audit,
    /// auditwheel copies libraries into the wheel.
    Repair,
    /// A published wheel is fetched for the comparison.
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

/// Follows jobs while they run.
pub(crate) trait Watch: Sync {
    /// A run of these jobs begins; a terminal shows their lines in this order.
    fn begin(&self, _jobs: &[String]) {}
    /// A job begins a stage.
    fn stage(&self, job: &str, stage: Stage);
    /// An event of the engine for a job.
    fn event(&self, job: &str, event: &Event);
    /// A message in its own line.
    fn note(&self, text: &str);
    /// A job ended after this number of seconds.
    fn ended(&self, job: &str, outcome: &str, seconds: f64);
}

/// The amount of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Nothing.
    Quiet,
    /// Stages and steps.
    Steps,
    /// Also every line that the steps print.
    Verbose,
}

/// Shows progress to a person.
pub(crate) struct Live {
    detail: Detail,
    bars: Option<MultiProgress>,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    /// Every job of the run, in the order of the plan.
    order: Vec<String>,
    running: BTreeMap<String, JobLine>,
    /// Number of jobs that ended.
    ended: usize,
    /// The last line, with the number of jobs that ended.
    total: Option<ProgressBar>,
}

#[derive(Default)]
struct JobLine {
    bar: Option<ProgressBar>,
    stage: Option<Stage>,
    started: BTreeMap<String, Instant>,
    /// Steps with the package's code that have printed a line other than a notice of our scripts.
    foreign: BTreeSet<String>,
}

impl JobLine {
    /// A notice of our scripts: a line that begins with `xtask: `.
    ///
    /// A package can print such lines too. `build.sh` and `before.sh` print another line before they run the package's
    /// code, so only earlier lines are notices. `smoke.sh` and `test.sh` have none.
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

impl Jobs {
    fn line(&mut self, job: &str) -> &mut JobLine {
        self.running.entry(job.to_owned()).or_default()
    }

    /// The line of a job. It keeps its position among the concurrent jobs.
    fn bar(&mut self, bars: &MultiProgress, job: &str) -> ProgressBar {
        if let Some(bar) = self.running.get(job).and_then(|line| line.bar.clone()) {
            return bar;
        }
        let place = |job: &str| self.order.iter().position(|each| each == job);
        let mine = place(job);
        let mut later = self.order.iter().filter(|each| place(each) > mine);
        let next = later.find_map(|each| self.running.get(each)?.bar.as_ref());
        let bar = match next.or(self.total.as_ref()) {
            Some(next) => bars.insert_before(next, ProgressBar::new_spinner()),
            None => bars.add(ProgressBar::new_spinner()),
        };
        bar.set_style(style("{spinner} {prefix} {elapsed:>4} {wide_msg}"));
        let names = self.order.iter().map(|name| name.chars().count());
        let width = names.max().unwrap_or_default();
        bar.set_prefix(format!("{job:width$}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.line(job).bar = Some(bar.clone());
        bar
    }

    /// Updates the last line.
    fn count(&self) {
        if let Some(total) = &self.total {
            let running = self.running.values().filter(|line| line.bar.is_some()).count();
            let all = self.order.len();
            total.set_message(format!("{} of {all} jobs done, {running} running", self.ended));
        }
    }
}

/// An invalid template would affect only the layout.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Live {
    /// Progress with the requested amount of output. Lines are updated only in a terminal that supports it.
    pub(crate) fn new(detail: Detail) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let moves = detail == Detail::Steps && std::io::stderr().is_terminal() && !is_dumb;
        Self { detail, bars: moves.then(MultiProgress::new), jobs: Mutex::default() }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            _ if self.detail == Detail::Quiet => {}
            Some(bars) => bars.suspend(|| wheel_audit::report::note(text)),
            None => wheel_audit::report::note(text),
        }
    }

    /// Shows the current work of a job: in its line in a terminal, otherwise in a new line.
    fn show(&self, job: &str, text: &str) {
        let Some(bars) = &self.bars else {
            self.line(&format!("[{job}] {text}"));
            return;
        };
        let mut jobs = self.jobs();
        jobs.bar(bars, job).set_message(text.to_owned());
        jobs.count();
    }

    /// Shows a step of the engine. A terminal shows only its stage's name.
    fn step(&self, job: &str, name: &str) {
        let short = short_name(name);
        let stage = self.jobs().line(job).stage.filter(|_| self.bars.is_some());
        match (stage, title(&short)) {
            (Some(stage), Some(title)) => self.show(job, &format!("{}: {title}", stage.as_str())),
            _ => self.show(job, &short),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Live {
    fn begin(&self, all: &[String]) {
        let mut jobs = self.jobs();
        *jobs = Jobs { order: all.to_vec(), ..Jobs::default() };
        if let (Some(bars), 2..) = (&self.bars, all.len()) {
            let total = bars.add(ProgressBar::new_spinner());
            total.set_style(style("  {wide_msg}"));
            jobs.total = Some(total);
            jobs.count();
        }
    }

    fn stage(&self, job: &str, stage: Stage) {
        self.jobs().line(job).stage = Some(stage);
        self.show(job, stage.as_str());
    }

    fn event(&self, job: &str, event: &Event) {
        match event {
            Event::Started { name } => {
                self.jobs().line(job).started.insert(name.clone(), Instant::now());
                if is_step(name) {
                    self.step(job, name);
                }
            }
            Event::Done { name, cached: false } => {
                let started = self.jobs().line(job).started.remove(name);
                let took = started.map_or(0.0, |at| at.elapsed().as_secs_f64());
                if took >= 1.0 && is_step(name) && self.bars.is_none() {
                    self.line(&format!("[{job}] {} done in {took:.1} s", short_name(name)));
                }
            }
            Event::Failed { name, error } if !error.contains("context canceled") => {
                self.show(job, &format!("{} failed", short_name(name)));
            }
            Event::NoCache { name, error } => {
                self.line(&format!("[{job}] warning: the build continues without a cache that failed: {name}: {error}"));
            }
            Event::Output { name, line } => {
                let notice = self.jobs().line(job).notice(name, line);
                match notice {
                    Some(notice) => self.line(&format!("[{job}] {notice}")),
                    None if self.detail == Detail::Verbose => {
                        self.line(&format!("[{job}]   {line}"));
                    }
                    None => {}
                }
            }
            Event::Message(text) if self.detail == Detail::Verbose => {
                self.line(&format!("[{job}] {text}"));
            }
            _ => {}
        }
    }

    fn note(&self, text: &str) {
        self.line(text);
    }

    fn ended(&self, job: &str, outcome: &str, seconds: f64) {
        let mut jobs = self.jobs();
        jobs.ended += 1;
        let bar = jobs.running.remove(job).and_then(|line| line.bar);
        jobs.count();
        let is_last = jobs.ended >= jobs.order.len();
        let total = jobs.total.take_if(|_| is_last);
        drop(jobs);
        for bar in bar.into_iter().chain(total) {
            bar.finish_and_clear();
        }
        self.line(&format!("[{job}] {outcome} ({seconds:.1} s)"));
    }
}

/// Returns whether BuildKit's step comes from the Dockerfile (`[stage 2/5] ...`) and is not an internal one.
fn is_step(name: &str) -> bool {
    name.starts_with('[') && !name.starts_with("[internal]")
}

/// The stage of a step: `base` of `[linux/arm64 base 2/3] RUN ...`.
fn title(name: &str) -> Option<&str> {
    let (inside, _) = name.strip_prefix('[')?.split_once(']')?;
    let mut words = inside.split_whitespace().rev();
    words.next().filter(|count| count.contains('/'))?;
    words.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_cannot_imitate_messages_of_xtask() {
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
        assert_eq!(title("[linux/arm64 base 2/3] RUN x"), Some("base"));
        assert_eq!((title("[9/24] RUN x"), title("[a] RUN x")), (None, None));
    }
}
