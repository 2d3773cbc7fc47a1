//! Durations of each job's last build, for the estimate before the next one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::report::counted;

use crate::plan::{Job, Plan};

fn file(work: &Utf8Path, job: &Job) -> Utf8PathBuf {
    work.join("jobs").join(job.slug()).join("seconds")
}

/// Records the duration of `job`. Without it, the next run has no estimate.
pub(super) fn record(work: &Utf8Path, job: &Job, seconds: f64) {
    let _ = fs_err::write(file(work, job), format!("{seconds:.1}\n"));
}

/// "4 jobs, 2 base images, about 3 min of build time the last time"; without the time where a job has none.
pub(crate) fn summary(plan: &Plan, work: &Utf8Path) -> String {
    let seconds = |job| read(&fs_err::read_to_string(file(work, job)).ok()?);
    let seconds: Option<Vec<f64>> = plan.jobs.iter().map(seconds).collect();
    let images: BTreeSet<_> = plan.jobs.iter().map(Job::folder).collect();
    let mut text =
        format!("{}, {}", counted(plan.jobs.len(), "job"), counted(images.len(), "base image"));
    if let Some(seconds) = seconds.filter(|all| !all.is_empty()) {
        let time = about(seconds.iter().sum());
        // Writing to a text cannot fail.
        let _ = write!(text, ", about {time} of build time the last time");
    }
    text
}

/// The seconds in a note. Anything but a sensible duration counts as none.
fn read(note: &str) -> Option<f64> {
    note.trim().parse().ok().filter(|seconds| (0.0..1e7).contains(seconds))
}

/// "40 s", "3 min", "2 h"
fn about(seconds: f64) -> String {
    match seconds {
        ..95.0 => format!("{seconds:.0} s"),
        ..5700.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{about, read};

    #[test]
    fn a_broken_note_is_no_duration() {
        assert_eq!(read("12.5\n"), Some(12.5));
        for broken in ["", "12 s", "NaN", "inf", "-1", "1e300"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_duration_has_one_unit() {
        assert_eq!([40.0, 150.0, 7300.0].map(about), ["40 s", "2 min", "2 h"]);
    }
}
