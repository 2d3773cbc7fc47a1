//! What podman prints of a build, read as its progress.

use super::progress::{Event, FailedStep, Follow, Recent};

/// How podman begins the error of a step (containers/buildah, `imagebuildah/stage_executor.go`).
const OF_STEP: &str = "building at STEP ";

/// Follows one build by what podman prints (containers/buildah, `imagebuildah/stage_executor.go`).
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The step under way, and whether it is a stage's first line only.
    current: Option<String>,
    output: Recent,
    /// An error as podman writes them, in the last line; a step may print such lines, too.
    error: Option<String>,
    /// The error that names a step. It comes through another pipe than the steps do, so that it may be read
    /// before the last of their lines.
    of_step: Option<String>,
}

impl Follow for Progress {
    fn line(&mut self, line: &[u8]) -> Vec<Event> {
        let text = String::from_utf8_lossy(line);
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        if text.trim().is_empty() {
            return Vec::new();
        }
        if let Some((stage, instruction)) = step_line(&text) {
            let mut events: Vec<Event> = self.done(false).into_iter().collect();
            let name = format!("[{stage}] {instruction}");
            self.current = Some(name.clone());
            self.output = Recent::default();
            self.error = None;
            events.push(Event::Started { name });
            return events;
        }
        if let Some(rest) = text.strip_prefix("--> ") {
            return self.done(rest.starts_with("Using cache")).into_iter().collect();
        }
        if let Some(error) = text.strip_prefix("Error: ").filter(|it| it.starts_with(OF_STEP)) {
            self.of_step = Some(reason(error).to_owned());
            let name = self.current.clone();
            return vec![
                name.map_or(Event::Said(text.clone()), |name| Event::Output { name, line: text }),
            ];
        }
        let Some(name) = self.current.clone() else {
            return vec![Event::Said(text)];
        };
        if let Some(before) = self.error.take() {
            self.output.keep(&format!("Error: {before}"));
        }
        match text.strip_prefix("Error: ") {
            Some(error) => self.error = Some(reason(error).to_owned()),
            None => self.output.keep(&text),
        }
        vec![Event::Output { name, line: text }]
    }

    fn failed(&self) -> Option<FailedStep> {
        let error = self.of_step.as_ref().or(self.error.as_ref())?.clone();
        Some(FailedStep { name: self.current.clone()?, error, tail: self.output.excerpt() })
    }
}

impl Progress {
    fn done(&mut self, cached: bool) -> Option<Event> {
        self.current.take().map(|name| Event::Done { name, cached })
    }
}

/// `[9/24] STEP 4/4: RUN …`: the stage and the instruction. A build of one stage has no `[…]`.
fn step_line(text: &str) -> Option<(&str, &str)> {
    let (stage, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?,
        None => ("1/1", text),
    };
    let (count, instruction) = rest.strip_prefix("STEP ")?.split_once(": ")?;
    let number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    count.split_once('/').filter(|(a, b)| number(a) && number(b))?;
    Some((stage, instruction))
}

/// What podman says of a failure, without the command, which the step's name says already.
fn reason(error: &str) -> &str {
    error.rsplit_once("while running runtime: ").map_or(error, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(lines: &[&str]) -> (Progress, Vec<Event>) {
        let mut progress = Progress::default();
        let events = lines.iter().flat_map(|line| progress.line(line.as_bytes())).collect();
        (progress, events)
    }

    #[test]
    fn the_steps_of_a_podman_build_are_followed() {
        let (progress, events) = feed(&[
            "[1/2] STEP 1/2: FROM debian:12 AS base",
            "[1/2] STEP 2/2: RUN make",
            "cc -c a.c",
            "--> Using cache 1234",
            "[2/2] STEP 1/1: COPY a /",
            "--> 5678",
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
    fn the_step_that_failed_is_named_with_its_last_lines() {
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
    fn podmans_error_counts_wherever_it_is_read() {
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
            };
            assert_eq!(failed, Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn only_the_last_line_is_podmans_own_error() {
        let (progress, events) = feed(&[
            "[1/2] STEP 2/2: RUN make",
            "Error: no space left on device",
            "Error: building at STEP \"RUN make\": while running runtime: exit status 1",
        ]);
        let failed = progress.failed();
        assert_eq!(failed.map(|step| step.error), Some("exit status 1".to_owned()));
        assert!(!events.iter().any(|event| matches!(event, Event::Said(_))), "{events:?}");
    }
}
