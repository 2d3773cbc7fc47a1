//! Number of concurrent jobs on a machine.

use camino::Utf8Path;

use crate::engine::{Capacity, Engine};

/// Memory of a native job, in bytes: a C++ compiler with a large file, and the rest of the build.
const NATIVE: u64 = 1_500_000_000;
/// Memory of an emulated job, in bytes: the emulator also keeps translated code.
const EMULATED: u64 = 2 * NATIVE;
/// Usable tenths of a remote machine's memory, whose free part is unknown.
const TENTHS: u64 = 8;

/// Limits of concurrent work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobBudget {
    pub jobs: usize,
    /// Total memory of concurrent jobs, in bytes.
    pub memory: u64,
}

/// Cores of the machine of `engine` for each of `jobs` concurrent jobs.
pub(crate) fn share(engine: &Engine, jobs: usize) -> usize {
    let here = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = engine.capacity().map_or_else(here, |capacity| capacity.cores);
    (cores / jobs.max(1)).max(1)
}

impl JobBudget {
    /// A fixed number of jobs, without a limit of memory.
    pub(crate) fn fixed(jobs: usize) -> Self {
        Self { jobs: jobs.max(1), memory: u64::MAX }
    }

    /// The budget of the machine of `engine`: one job for each core, limited by the available memory. A job mostly
    /// runs one compiler at a time.
    pub(crate) fn of(engine: &Engine) -> Self {
        let meminfo = fs_err::read_to_string(Utf8Path::new("/proc/meminfo")).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        budget(engine.capacity(), cores, &meminfo)
    }
}

/// Memory of one job, in bytes.
pub(super) fn memory(emulated: bool) -> u64 {
    if emulated { EMULATED } else { NATIVE }
}

/// The budget of an engine with `capacity`, on a machine with `cores` and this `/proc/meminfo`.
fn budget(capacity: Option<Capacity>, cores: usize, meminfo: &str) -> JobBudget {
    let total = field(meminfo, "MemTotal:");
    let here =
        JobBudget { jobs: cores, memory: field(meminfo, "MemAvailable:").unwrap_or(u64::MAX) };
    let budget = match capacity {
        // An engine with this machine's memory runs on it, so the available memory counts.
        Some(engine) if total != Some(engine.memory) => {
            JobBudget { jobs: engine.cores, memory: engine.memory / 10 * TENTHS }
        }
        _ => here,
    };
    let fitting = usize::try_from(budget.memory / NATIVE).unwrap_or(usize::MAX);
    JobBudget { jobs: budget.jobs.min(fitting).max(1), ..budget }
}

/// A field of `/proc/meminfo` (`proc_meminfo(5)`), in bytes.
fn field(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       16000000 kB\nMemAvailable:    4000000 kB\n";

    #[test]
    fn memory_bounds_the_jobs_as_cores_do() {
        let here = Some(Capacity { cores: 8, memory: 16_000_000 * 1024 });
        assert_eq!(budget(here, 8, MEMINFO).jobs, 2, "4 GB hold two of 1.5 GB");
        assert_eq!(budget(None, 1, MEMINFO).jobs, 1);
        assert_eq!(
            budget(here, 8, "MemTotal: 16000000 kB\nMemAvailable: 9 kB\n").jobs,
            1,
            "at least one"
        );
        assert_eq!(budget(None, 3, "").jobs, 3, "a system without figures");
    }

    #[test]
    fn a_remote_engine_uses_the_figures_of_its_machine() {
        let far = Some(Capacity { cores: 64, memory: 20_000_000_000 });
        assert_eq!(budget(far, 2, MEMINFO), JobBudget { jobs: 10, memory: 16_000_000_000 });
    }

    #[test]
    fn emulated_jobs_use_more_memory() {
        let budget = budget(None, 8, "MemAvailable: 6000000 kB\n");
        assert_eq!((budget.jobs, budget.memory / memory(true)), (4, 2));
    }
}
