//! Parses podman's build output as progress.

use std::collections::BTreeMap;

use super::progress::{Event, FailedStep, Follow, Recent, clean};

/// The start of podman's error about a step (containers/buildah, `imagebuildah/stage_executor.go`).
const OF_STEP: &str = "building at STEP ";

/// Minimum and maximum number of digits of an image's id in podman's output.
const ID_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

/// Parses one build's output (containers/buildah, `imagebuildah/stage_executor.go`).
///
/// The output of steps comes through the same pipes. After the first step, every line counts as output of the
/// current step, unless podman can have written it at this point.
#[derive(Debug, Default)]
pub struct Progress {
    /// The last step that began.
    last: Option<Last>,
    /// The last step of each stage that began. podman begins stages in any order, skips unneeded ones, and suspends a
    /// stage that copies from another.
    counts: BTreeMap<u32, Count>,
    output: Recent,
    /// An error in podman's format in the last line. A step may print an equal line.
    error: Option<String>,
    /// The error that names a step. It comes through a different pipe than the steps, possibly before the last of
    /// their lines.
    of_step: Option<String>,
}

#[derive(Debug)]
struct Last {
    name: String,
    ended: bool,
}

/// The position of a step in its build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    /// The stage, and the number of stages.
    stage: (u32, u32),
    /// The step in its stage, and the number of steps there.
    step: (u32, u32),
}

impl Follow for Progress {
    fn line(&mut self, line: &[u8]) -> Vec<Event> {
        let text = clean(&String::from_utf8_lossy(line));
        if text.trim().is_empty() {
            return Vec::new();
        }
        if let Some(events) = self.step(&text) {
            return events;
        }
        let error = text.strip_prefix("Error: ");
        if let Some(error) = error.filter(|it| it.starts_with(OF_STEP)) {
            self.keep_error_of_step(reason(error));
            return vec![self.output_event(text)];
        }
        if self.last.is_none() {
            return vec![Event::Message(text)];
        }
        if let Some(cached) = image_line(&text) {
            return self.done(cached).map_or_else(Vec::new, |done| vec![done]);
        }
        if let Some(before) = self.error.take() {
            self.output.keep(&format!("Error: {before}"));
        }
        match error {
            Some(error) => self.error = Some(reason(error).to_owned()),
            None => self.output.keep(&text),
        }
        vec![self.output_event(text)]
    }

    fn failed(&self) -> Option<FailedStep> {
        let error = self.of_step.as_ref().or(self.error.as_ref())?.clone();
        let name = self.last.as_ref()?.name.clone();
        let tail = self.output.excerpt(&name);
        Some(FailedStep { name, error, tail, clipped: None })
    }
}

impl Progress {
    /// The events of a line in which podman begins a step.
    fn step(&mut self, text: &str) -> Option<Vec<Event>> {
        let (stage, count, instruction) = step_line(text)?;
        if !self.may_begin(count) {
            return None;
        }
        let mut events: Vec<Event> = self.done(false).into_iter().collect();
        let name = format!("[{stage}] {instruction}");
        self.last = Some(Last { name: name.clone(), ended: false });
        self.counts.insert(count.stage.0, count);
        self.output = Recent::default();
        self.error = None;
        events.push(Event::Started { name });
        Some(events)
    }

    /// Returns whether podman can begin this step now: the next one in its stage, with the planned totals.
    fn may_begin(&self, next: Count) -> bool {
        let possible =
            [next.stage, next.step].iter().all(|&(number, total)| number >= 1 && number <= total);
        let stages = self.counts.values().next().map_or(next.stage.1, |count| count.stage.1);
        let (before, steps) =
            self.counts.get(&next.stage.0).map_or((0, next.step.1), |count| count.step);
        // The first line may belong to a build that is already running.
        let in_order = self.counts.is_empty() || next.step.0 == before.saturating_add(1);
        possible && next.stage.1 == stages && next.step.1 == steps && in_order
    }

    /// A step may print the same error. Only podman itself reports the exit status of a step's program.
    fn keep_error_of_step(&mut self, error: &str) {
        let is_status = |error: &str| error.starts_with("exit status ");
        if !self.of_step.as_deref().is_some_and(is_status) || is_status(error) {
            self.of_step = Some(error.to_owned());
        }
    }

    fn output_event(&self, line: String) -> Event {
        match &self.last {
            Some(last) => Event::Output { name: last.name.clone(), line },
            None => Event::Message(line),
        }
    }

    fn done(&mut self, cached: bool) -> Option<Event> {
        let last = self.last.as_mut().filter(|last| !last.ended)?;
        last.ended = true;
        Some(Event::Done { name: last.name.clone(), cached })
    }
}

/// Parses `[9/24] STEP 4/4: RUN …`: the stage, both counts and the instruction. With one stage there is no `[…]`.
fn step_line(text: &str) -> Option<(&str, Count, &str)> {
    let (stage, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?,
        None => ("1/1", text),
    };
    let (step, instruction) = rest.strip_prefix("STEP ")?.split_once(": ")?;
    let digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let number = |word: &str| word.parse::<u32>().ok().filter(|_| digits(word));
    let pair = |text: &str| {
        let (number_of, total) = text.split_once('/')?;
        Some((number(number_of)?, number(total)?))
    };
    Some((stage, Count { stage: pair(stage)?, step: pair(step)? }, instruction))
}

/// Parses `--> 1f2e…` or `--> Using cache 1f2e…`, the end of a step: whether its result was cached.
fn image_line(text: &str) -> Option<bool> {
    let rest = text.strip_prefix("--> ")?;
    let (cached, id) = match rest.strip_prefix("Using cache ") {
        Some(id) => (true, id),
        None => (false, rest),
    };
    let is_id = ID_DIGITS.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(cached)
}

/// podman's message about a failure without the command, which the step's name already contains.
fn reason(error: &str) -> &str {
    error.rsplit_once("while running runtime: ").map_or(error, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::failure::diagnose;
    use super::*;

    fn feed(lines: &[&str]) -> (Progress, Vec<Event>) {
        let mut progress = Progress::default();
        let events = lines.iter().flat_map(|line| progress.line(line.as_bytes())).collect();
        (progress, events)
    }

    #[test]
    fn the_steps_of_a_podman_build_are_parsed() {
        let (progress, events) = feed(&[
            "[1/2] STEP 1/2: FROM debian:12 AS base",
            "[1/2] STEP 2/2: RUN make",
            "cc -c a.c",
            "--> Using cache 0123456789ab",
            "[2/2] STEP 1/1: COPY a /",
            "--> 0123456789a",
        ]);
        let named = |name: &str| name.to_owned();
        let expected = [
            Event::Started { name: named("[1/2] FROM debian:12 AS base") },
            Event::Done { name: named("[1/2] FROM debian:12 AS base"), cached: false },
            Event::Started { name: named("[1/2] RUN make") },
            Event::Output { name: named("[1/2] RUN make"), line: named("cc -c a.c") },
            Event::Done { name: named("[1/2] RUN make"), cached: true },
            Event::Started { name: named("[2/2] COPY a /") },
            Event::Done { name: named("[2/2] COPY a /"), cached: false },
        ];
        assert_eq!(events, expected);
        assert_eq!(progress.failed(), None);
    }

    #[test]
    fn the_failed_step_is_reported_with_its_last_lines() {
        let (progress, _) = feed(&[
            "[16/24] STEP 7/7: RUN --mount=type=tmpfs,target=/tmp sh /xtask/build.sh",
            "error: no wheel",
            "Error: building at STEP \"RUN sh /xtask/build.sh\": while running runtime: exit status 1",
        ]);
        let failed = progress.failed();
        assert_eq!(failed.as_ref().map(|step| step.error.as_str()), Some("exit status 1"));
        assert_eq!(failed.map(|step| step.tail), Some(vec!["error: no wheel".to_owned()]));
    }

    #[test]
    fn the_error_of_podman_counts_at_any_position() {
        let lines =
            ["[1/2] STEP 1/2: FROM debian:12", "[1/2] STEP 2/2: RUN make", "cc: no such file"];
        let error = "Error: building at STEP \"RUN make\": while running runtime: exit status 1";
        for at in 0..=lines.len() {
            let mut lines = lines.to_vec();
            lines.insert(at, error);
            let failed = feed(&lines).0.failed();
            let expected = FailedStep {
                name: "[1/2] RUN make".to_owned(),
                error: "exit status 1".to_owned(),
                tail: vec!["cc: no such file".to_owned()],
                clipped: None,
            };
            assert_eq!(failed, Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn only_the_last_line_is_podmans_own_error() {
        let (progress, events) = feed(&[
            "[1/2] STEP 1/2: FROM debian:12",
            "[1/2] STEP 2/2: RUN make",
            "Error: no space left on device",
            "Error: building at STEP \"RUN make\": while running runtime: exit status 1",
        ]);
        let failed = progress.failed();
        assert_eq!(failed.map(|step| step.error), Some("exit status 1".to_owned()));
        assert!(!events.iter().any(|event| matches!(event, Event::Message(_))), "{events:?}");
    }

    const STEPS: [&str; 3] =
        ["[1/3] STEP 1/2: FROM debian:12", "[1/3] STEP 2/2: RUN make", "cc -c a.c"];
    const FAILED: &str =
        "Error: building at STEP \"RUN make\": while running runtime: exit status 1";

    /// Output of a step cannot hide its failure or change podman's own message.
    #[test]
    fn a_step_cannot_imitate_podman() {
        for printed in [
            &["--> fetching sources", "no space left on device"][..],
            &["--> Using cache of ccache", "Cannot connect to the Docker daemon"],
            &["--> 0123456789ab", "error during connect", "Error: no space left on device"],
            &[
                "STEP 1/1: RUN x",
                "[1/3] STEP 2/2: RUN y",
                "[2/3] STEP 2/2: RUN z",
                "failed to dial",
            ],
            &["[2/4] STEP 1/1: RUN x", "[9/3] STEP 1/1: RUN y", "[3/3] STEP 0/0: RUN z"],
            &["[2/3] STEP +1/1: RUN x", "[2/3] STEP 1/99999999999: RUN y"],
            &["Error: building at STEP \"RUN x\": no space left on device"],
        ] {
            for failed_first in [false, true] {
                let at = if failed_first { STEPS.len() } else { STEPS.len() + printed.len() };
                let mut lines = [&STEPS, printed].concat();
                lines.insert(at, FAILED);
                let (progress, events) = feed(&lines);
                let failed = progress.failed().unwrap();
                assert_eq!((&*failed.name, &*failed.error), ("[1/3] RUN make", "exit status 1"));
                assert_eq!(failed.tail.first().map(String::as_str), Some("cc -c a.c"), "{lines:?}");
                assert!(!events.iter().any(|it| matches!(it, Event::Message(_))), "{events:?}");
                assert!(!diagnose("1", Some(failed), &[]).ends_run(), "{lines:?}");
            }
        }
    }

    /// The output of podman 4.3: stages in any order, some never, one that waits for another.
    #[test]
    fn stages_come_in_any_order() {
        let (progress, events) = feed(&[
            "[2/4] STEP 1/2: FROM scratch AS a",
            "[2/4] STEP 2/2: RUN a",
            "--> Using cache 6e758a124d536373fdf98094956bd09552971e73b384d36dda2da2a2b005b2f9",
            "--> 6e758a124d5",
            "[4/4] STEP 1/3: FROM scratch",
            "[4/4] STEP 2/3: COPY --from=b /bin/sh /",
            "[3/4] STEP 1/1: FROM 6e758a124d53 AS b",
            "--> dbb889d8405",
            "[4/4] STEP 3/3: RUN c",
            "[4/4] COMMIT",
            "--> 177227c60b4",
        ]);
        let names = events.iter().filter_map(|event| match event {
            Event::Started { name } => Some(name.split(' ').take(2).collect::<Vec<_>>().join(" ")),
            _ => None,
        });
        let expected =
            ["[2/4] FROM", "[2/4] RUN", "[4/4] FROM", "[4/4] COPY", "[3/4] FROM", "[4/4] RUN"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert_eq!(progress.failed(), None);
    }

    #[test]
    fn podmans_message_after_a_step_is_about_the_engine() {
        let error = "committing container for step: write: no space left on device";
        let last = format!("Error: {error}");
        let (progress, events) = feed(&[&STEPS[..], &["--> 0123456789ab", &last]].concat());
        assert_eq!(progress.failed().map(|step| step.error), Some(error.to_owned()));
        assert!(!events.iter().any(|event| matches!(event, Event::Message(_))), "{events:?}");
        let before = feed(&["Error: short-name resolution: connection reset by peer"]);
        assert!(matches!(&*before.1, [Event::Message(_)]) && before.0.failed().is_none());
    }
}
