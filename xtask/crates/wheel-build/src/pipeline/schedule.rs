//! Decides when each job starts: as many concurrently as the budget allows, each as soon as its base image is
//! available, with targets taking turns.
//!
//! A base image may take minutes (a foreign system made from packages), so no job waits for another target's. Jobs
//! of one target start with a shared stage, which the engine builds once. A second job of the target would only
//! wait for it, while another target's job has work to do. A job that probably tests another job's wheel starts
//! after that job's build step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job_budget::JobBudget;
use super::sharing::Progress;

/// A job that has not started.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Index in the plan.
    pub(super) index: usize,
    /// Folder of its target and platform. Jobs of one folder share a base image.
    pub(super) folder: String,
    /// Memory of the job, in bytes.
    pub(super) memory: u64,
    /// Index of the job whose build step must end before this one starts.
    pub(super) after: Option<usize>,
}

/// Instruction for a worker.
#[derive(Debug, Clone)]
pub(super) enum Next<B> {
    /// Run the job in this base image.
    Run(Waiting, B),
    /// Report the job as not started, because the run has ended.
    Skip(Waiting),
}

/// The jobs of a run, for its workers.
pub(super) struct Schedule<B> {
    budget: JobBudget,
    state: Mutex<State<B>>,
    changed: Condvar,
}

struct State<B> {
    waiting: Vec<Waiting>,
    bases: BTreeMap<String, B>,
    /// Number of running jobs of each folder.
    running: BTreeMap<String, usize>,
    /// Started jobs whose build step has not ended.
    building: BTreeSet<usize>,
    /// Jobs whose build step has ended, successfully or not.
    built: BTreeSet<usize>,
    memory: u64,
    stopped: bool,
}

impl<B: Clone> Schedule<B> {
    /// Schedules `waiting`, in this order unless a condition delays a job.
    pub(super) fn new(waiting: Vec<Waiting>, budget: JobBudget) -> Self {
        let (bases, running) = (BTreeMap::new(), BTreeMap::new());
        let (building, built) = (BTreeSet::new(), BTreeSet::new());
        let state = State { waiting, bases, running, building, built, memory: 0, stopped: false };
        Self { budget, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the result of obtaining the base image of `folder`.
    pub(super) fn base(&self, folder: &str, base: B) {
        self.state().bases.insert(folder.to_owned(), base);
        self.changed.notify_all();
    }

    /// Starts no further job.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Returns whether the run was stopped.
    pub(super) fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits for the next job that fits the budget; `None` when none is left.
    pub(super) fn next(&self) -> Option<Next<B>> {
        let mut state = self.state();
        loop {
            if state.waiting.is_empty() {
                return None;
            }
            if state.stopped {
                return Some(Next::Skip(state.waiting.remove(0)));
            }
            if let Some((at, base)) = state.fitting(self.budget) {
                let (base, job) = (base.clone(), state.waiting.remove(at));
                *state.running.entry(job.folder.clone()).or_default() += 1;
                state.memory += job.memory;
                state.building.insert(job.index);
                return Some(Next::Run(job, base));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Records that the build step of a job has ended and its files are complete.
    pub(super) fn build_ended(&self, index: usize) {
        self.state().build_ended(index);
        self.changed.notify_all();
    }

    /// Records that a job has ended.
    pub(super) fn ended(&self, job: &Waiting) {
        let mut state = self.state();
        state.build_ended(job.index);
        if let Some(count) = state.running.get_mut(&job.folder) {
            *count -= 1;
        }
        state.memory -= job.memory;
        drop(state);
        self.changed.notify_all();
    }
}

impl<B: Clone> Progress for Schedule<B> {
    fn is_built(&self, index: usize) -> bool {
        self.state().built.contains(&index)
    }

    /// Does not wait for a job that has not started, so that no two jobs wait for each other.
    fn wait_while_building(&self, index: usize) {
        let building = |state: &mut State<B>| state.building.contains(&index);
        drop(self.changed.wait_while(self.state(), building));
    }
}

impl<B> State<B> {
    fn build_ended(&mut self, index: usize) {
        self.building.remove(&index);
        self.built.insert(index);
    }

    /// Index in the queue of the next job, with its base image: it fits the budget, and its target has the fewest
    /// running jobs.
    fn fitting(&self, budget: JobBudget) -> Option<(usize, &B)> {
        let running: usize = self.running.values().sum();
        if running >= budget.jobs.max(1) {
            return None;
        }
        // One job always fits, however large it is.
        let may_begin = |job: &Waiting| job.after.is_none_or(|lead| self.built.contains(&lead));
        let fits = |job: &Waiting| {
            may_begin(job) && (running == 0 || self.memory + job.memory <= budget.memory)
        };
        let beside = |job: &Waiting| self.running.get(&job.folder).copied().unwrap_or_default();
        let ready = self.waiting.iter().enumerate().filter(|(_, job)| fits(job));
        let ready =
            ready.filter_map(|(at, job)| Some((beside(job), at, self.bases.get(&job.folder)?)));
        ready.min_by_key(|(beside, at, _)| (*beside, *at)).map(|(_, at, base)| (at, base))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn schedule(jobs: &[(&str, u64)], budget: JobBudget) -> Schedule<()> {
        let each = jobs.iter().enumerate();
        let waiting = each.map(|(index, (folder, memory))| Waiting {
            index,
            folder: (*folder).to_owned(),
            memory: *memory,
            after: None,
        });
        let schedule = Schedule::new(waiting.collect(), budget);
        for (folder, _) in jobs {
            schedule.base(folder, ());
        }
        schedule
    }

    fn take(schedule: &Schedule<()>) -> Waiting {
        match schedule.next().unwrap() {
            Next::Run(job, ()) | Next::Skip(job) => job,
        }
    }

    fn fitting(schedule: &Schedule<()>) -> Option<usize> {
        let state = schedule.state();
        state.fitting(schedule.budget).map(|(at, ())| state.waiting[at].index)
    }

    #[test]
    fn targets_take_turns_and_their_jobs_keep_their_order() {
        let budget = JobBudget { jobs: 8, memory: 100 };
        let schedule = schedule(&[("a", 1), ("a", 1), ("a", 1), ("b", 1), ("b", 1)], budget);
        let order: Vec<_> = (0..5).map(|_| take(&schedule).index).collect();
        assert_eq!(order, [0, 3, 1, 4, 2]);
    }

    #[test]
    fn a_job_waits_only_for_its_own_base_image() {
        let waiting = |index, folder: &str| Waiting {
            index,
            folder: folder.to_owned(),
            memory: 1,
            after: None,
        };
        let budget = JobBudget { jobs: 2, memory: 100 };
        let schedule = Schedule::new(vec![waiting(0, "slow"), waiting(1, "quick")], budget);
        schedule.base("quick", ());
        assert_eq!(take(&schedule).index, 1);
        assert_eq!(fitting(&schedule), None);
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| take(&schedule).index);
            schedule.base("slow", ());
            assert_eq!(slow.join().unwrap(), 0);
        });
    }

    #[test]
    fn jobs_run_within_the_budget_and_at_least_one() {
        let schedule = schedule(&[("a", 3), ("b", 3), ("c", 1)], JobBudget { jobs: 2, memory: 4 });
        let first = take(&schedule);
        assert_eq!(
            (first.index, fitting(&schedule)),
            (0, Some(2)),
            "two of the large ones do not fit"
        );
        let small = take(&schedule);
        assert_eq!((small.index, fitting(&schedule)), (2, None), "two jobs run");
        schedule.ended(&first);
        assert_eq!(fitting(&schedule), Some(1));
        let tight = self::schedule(&[("a", 3)], JobBudget { jobs: 0, memory: 0 });
        assert_eq!(take(&tight).index, 0);
    }

    #[test]
    fn a_stopped_run_reports_the_remaining_jobs() {
        let waiting = Waiting { index: 0, folder: "never".to_owned(), memory: 1, after: None };
        let schedule: Schedule<()> = Schedule::new(vec![waiting], JobBudget { jobs: 1, memory: 1 });
        schedule.stop();
        assert!(matches!(schedule.next(), Some(Next::Skip(job)) if job.index == 0));
        assert!(schedule.next().is_none());
    }

    /// Jobs of one folder. Each waits for the build step of the job with the listed index.
    fn chained(after: &[Option<usize>], jobs: usize) -> Schedule<()> {
        let one = |(index, &after)| Waiting { index, folder: "a".to_owned(), memory: 1, after };
        let waiting = after.iter().enumerate().map(one).collect();
        let schedule = Schedule::new(waiting, JobBudget { jobs, memory: 100 });
        schedule.base("a", ());
        schedule
    }

    #[test]
    fn a_job_waits_only_for_the_build_step_of_another() {
        let schedule = chained(&[Some(1), None, Some(1), None], 8);
        assert_eq!((take(&schedule).index, take(&schedule).index), (1, 3));
        assert_eq!((fitting(&schedule), schedule.is_built(1)), (None, false));
        schedule.build_ended(1);
        assert!(schedule.is_built(1) && !schedule.is_built(3));
        assert_eq!((take(&schedule).index, take(&schedule).index), (0, 2));
    }

    #[test]
    fn a_job_starts_after_the_other_job_failed() {
        let schedule = chained(&[None, Some(0)], 1);
        let lead = take(&schedule);
        assert_eq!(fitting(&schedule), None);
        schedule.ended(&lead);
        assert_eq!(take(&schedule).index, 1);
    }

    #[test]
    fn a_stopped_run_reports_jobs_that_wait_for_another() {
        let schedule = chained(&[None, Some(0)], 2);
        let lead = take(&schedule);
        schedule.stop();
        assert!(matches!(schedule.next(), Some(Next::Skip(job)) if job.index == 1));
        schedule.ended(&lead);
        assert!(schedule.next().is_none());
    }

    #[test]
    fn no_job_waits_for_a_build_that_has_not_started() {
        let schedule = chained(&[None, None], 2);
        schedule.wait_while_building(0);
        let first = take(&schedule);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                schedule.wait_while_building(first.index);
                schedule.is_built(first.index)
            });
            schedule.build_ended(first.index);
            assert!(waits.join().unwrap());
        });
    }
}
