//! What the engine did during a step, read from the tool's log while it grows.

use std::time::Instant;

use camino::Utf8Path;

/// Adds the lines about steps of the engine that were written to a log in `logs` since the last call, each with its
/// time since `start`.
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

/// How many steps of the Dockerfile ended, and how many of them were in a cache.
pub(crate) fn cached(seen: &[(f64, String)]) -> (usize, usize) {
    let ended = seen.iter().map(|(_, line)| line).filter(|line| {
        line.starts_with("== [") && !line.starts_with("== [internal]") && line.contains("] ")
    });
    let of_dockerfile = ended.filter(|line| line.contains("] RUN ") || line.contains("] COPY "));
    let all: Vec<_> = of_dockerfile.collect();
    (all.iter().filter(|line| line.ends_with(" (cached)")).count(), all.len())
}
