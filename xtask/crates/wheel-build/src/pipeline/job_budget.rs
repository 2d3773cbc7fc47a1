//! How many jobs may run at the same time on a machine.

use camino::Utf8Path;

use crate::engine::{Capacity, Engine};

/// Memory that a native job takes, in bytes: a C++ compiler on a large file, and the rest of the build.
const NATIVE: u64 = 1_500_000_000;
/// Memory that an emulated job takes: the emulator keeps the translated code beside the program.
const EMULATED: u64 = 2 * NATIVE;
/// Of the memory of another machine, whose free part nobody tells, this many in ten are counted on.
const TENTHS: u64 = 8;

/// How much may be done at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JobBudget {
    /// Jobs.
    pub jobs: usize,
    /// Memory in bytes that they may take together.
    pub memory: u64,
}

/// Cores of the machine that `engine` builds on, for each of so many `jobs` that run side by side.
pub(crate) fn share(engine: &Engine, jobs: usize) -> usize {
    let here = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cores = engine.capacity().map_or_else(here, |capacity| capacity.cores);
    (cores / jobs.max(1)).max(1)
}

impl JobBudget {
    /// So many jobs as the user asked for, whatever they take.
    pub(crate) fn fixed(jobs: usize) -> Self {
        Self { jobs: jobs.max(1), memory: u64::MAX }
    }

    /// What the machine that `engine` builds on has room for: as many jobs as cores, since each is mostly one
    /// compiler at a time, and no more than fit into the memory that is available.
    pub(crate) fn of(engine: &Engine) -> Self {
        let meminfo = fs_err::read_to_string(Utf8Path::new("/proc/meminfo")).unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        budget(engine.capacity(), cores, &meminfo)
    }
}

/// Memory that one job takes, in bytes.
pub(super) fn memory(emulated: bool) -> u64 {
    if emulated { EMULATED } else { NATIVE }
}

/// The budget of an engine with `capacity`, on a machine with so many `cores` and this `/proc/meminfo`.
fn budget(capacity: Option<Capacity>, cores: usize, meminfo: &str) -> JobBudget {
    let total = field(meminfo, "MemTotal:");
    let here =
        JobBudget { jobs: cores, memory: field(meminfo, "MemAvailable:").unwrap_or(u64::MAX) };
    let budget = match capacity {
        // An engine that has this machine's memory is on it, and what is available counts.
        Some(engine) if total != Some(engine.memory) => {
            JobBudget { jobs: engine.cores, memory: engine.memory / 10 * TENTHS }
        }
        _ => here,
    };
    let fitting = usize::try_from(budget.memory / NATIVE).unwrap_or(usize::MAX);
    JobBudget { jobs: budget.jobs.min(fitting).max(1), ..budget }
}

/// A line of `/proc/meminfo` (`proc_meminfo(5)`), in bytes.
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
            "one always"
        );
        assert_eq!(budget(None, 3, "").jobs, 3, "a system that does not tell");
    }

    #[test]
    fn an_engine_elsewhere_counts_with_its_own_machine() {
        let far = Some(Capacity { cores: 64, memory: 20_000_000_000 });
        assert_eq!(budget(far, 2, MEMINFO), JobBudget { jobs: 10, memory: 16_000_000_000 });
    }

    #[test]
    fn fewer_emulated_jobs_fit() {
        let budget = budget(None, 8, "MemAvailable: 6000000 kB\n");
        assert_eq!((budget.jobs, budget.memory / memory(true)), (4, 2));
    }
}
