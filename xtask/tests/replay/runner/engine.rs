//! The engine's steps during a step of the workflow, read from the growing log of the tool.

use std::collections::BTreeMap;
use std::time::Instant;

use camino::Utf8Path;

/// Adds the lines about steps of the engine that the logs in `logs` received since the last call, each with its time
/// since `start`.
pub(crate) fn watch(logs: &Utf8Path, start: Instant, seen: &mut Vec<(f64, String)>) {
    let files = logs.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
    let texts = files.filter_map(|file| fs_err::read(file.path()).ok());
    // One job of the matrix builds one target, and its log only grows.
    let lines = texts.flat_map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let is_step = |line: &&str| line.starts_with("=> ") || line.starts_with("== ");
        text[..whole].lines().filter(is_step).map(str::to_owned).collect::<Vec<_>>()
    });
    let new: Vec<_> = lines.skip(seen.len()).collect();
    seen.extend(new.into_iter().map(|line| (start.elapsed().as_secs_f64(), line)));
}

/// The seconds from the first to the last line about `stage`.
pub(crate) fn seconds_of(seen: &[(f64, String)], stage: &str) -> f64 {
    let named = format!("[{stage} ");
    let mut times = seen.iter().filter(|(_, line)| line.contains(&named)).map(|(time, _)| *time);
    let first = times.next().unwrap_or_default();
    times.next_back().unwrap_or(first) - first
}

/// Returns whether a line of the log reports the end of a step of the Dockerfile.
fn is_step(line: &str) -> bool {
    let has_stage =
        line.starts_with("== [") && !line.starts_with("== [internal]") && line.contains("] ");
    has_stage && (line.contains("] RUN ") || line.contains("] COPY "))
}

/// The number of finished steps of the Dockerfile, and the number of cached ones.
pub(crate) fn cached(seen: &[(f64, String)]) -> (usize, usize) {
    let all: Vec<_> = seen.iter().map(|(_, line)| line).filter(|line| is_step(line)).collect();
    (all.iter().filter(|line| line.ends_with(" (cached)")).count(), all.len())
}

/// Each step of the Dockerfile once, as `STAGE NUMBER/ALL`, and whether it was cached in the first call that needed
/// it: later calls find it in the engine.
pub(crate) fn first_calls(seen: &[(f64, String)]) -> BTreeMap<String, bool> {
    let mut steps = BTreeMap::new();
    for (_, line) in seen.iter().filter(|(_, line)| is_step(line)) {
        let name = line.trim_start_matches("== [").split(']').next().unwrap_or_default();
        steps.entry(name.to_owned()).or_insert_with(|| line.ends_with(" (cached)"));
    }
    steps
}
