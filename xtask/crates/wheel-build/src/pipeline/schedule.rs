//! Which job is begun when: as many at a time as there is room for, each as soon as its base image is
//! there, and of several targets each in turn.
//!
//! A base image may take minutes to be had (a foreign system made from its packages), so that no job
//! waits for another target's. Jobs of one target begin with a stage that they share, which the engine
//! builds once: beside a first job a second one of the same target would only wait for it, while
//! another target's has work to do. A job that is likely to test the wheel of another one begins when
//! that one's build step has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job_budget::JobBudget;
use super::sharing::Progress;

/// A job that is to be done.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Its place in the plan.
    pub(super) index: usize,
    /// The folder of its target and platform: jobs with the same one share a base image.
    pub(super) folder: String,
    /// Memory it takes, in bytes.
    pub(super) memory: u64,
    /// The job, by its place in the plan, whose build step has to end before this one begins.
    pub(super) after: Option<usize>,
}

/// What a worker is to do with a job.
#[derive(Debug, Clone)]
pub(super) enum Next<B> {
    /// Carry it out in this base image.
    Run(Waiting, B),
    /// Report it as not begun: the run has ended.
    Skip(Waiting),
}

/// The jobs of a run, handed out to its workers.
pub(super) struct Schedule<B> {
    budget: JobBudget,
    state: Mutex<State<B>>,
    changed: Condvar,
}

struct State<B> {
    waiting: Vec<Waiting>,
    bases: BTreeMap<String, B>,
    /// How many jobs of each folder run.
    running: BTreeMap<String, usize>,
    /// Jobs that were begun and whose build step has not ended.
    building: BTreeSet<usize>,
    /// Jobs whose build step has ended, well or not.
    built: BTreeSet<usize>,
    memory: u64,
    stopped: bool,
}

impl<B: Clone> Schedule<B> {
    /// Hands out `waiting`, in this order where nothing speaks against it.
    pub(super) fn new(waiting: Vec<Waiting>, budget: JobBudget) -> Self {
        let (bases, running) = (BTreeMap::new(), BTreeMap::new());
        let (building, built) = (BTreeSet::new(), BTreeSet::new());
        let state = State { waiting, bases, running, building, built, memory: 0, stopped: false };
        Self { budget, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base image of `folder` is there, or is known not to be had.
    pub(super) fn base(&self, folder: &str, base: B) {
        self.state().bases.insert(folder.to_owned(), base);
        self.changed.notify_all();
    }

    /// Begins no further job.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Whether the run was ended.
    pub(super) fn stopped(&self) -> bool {
        self.state().stopped
    }

    /// The next job, once there is room for it; `None` when none is left.
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

    /// The build step of a job has ended: what it built is in its folder.
    pub(super) fn build_ended(&self, index: usize) {
        self.state().build_ended(index);
        self.changed.notify_all();
    }

    /// A job that was run has ended.
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

    /// One that was not begun is not waited for, so that no two jobs wait for each other.
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

    /// Where in the queue the job stands that may begin: its base image is there, there is room for it,
    /// and of all such its target has the fewest jobs running. With its base image.
    fn fitting(&self, budget: JobBudget) -> Option<(usize, &B)> {
        let running: usize = self.running.values().sum();
        if running >= budget.jobs.max(1) {
            return None;
        }
        // One job always has budget: there is no smaller way to do it.
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
    fn a_job_waits_for_its_own_base_image_and_for_no_other() {
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
    fn no_more_run_than_there_is_room_for_and_one_always_does() {
        let schedule = schedule(&[("a", 3), ("b", 3), ("c", 1)], JobBudget { jobs: 2, memory: 4 });
        let first = take(&schedule);
        assert_eq!(
            (first.index, fitting(&schedule)),
            (0, Some(2)),
            "two of the large ones do not fit"
        );
        let small = take(&schedule);
        assert_eq!((small.index, fitting(&schedule)), (2, None), "there are two");
        schedule.ended(&first);
        assert_eq!(fitting(&schedule), Some(1));
        let tight = self::schedule(&[("a", 3)], JobBudget { jobs: 0, memory: 0 });
        assert_eq!(take(&tight).index, 0);
    }

    #[test]
    fn a_run_that_was_stopped_hands_out_the_rest_to_be_reported() {
        let waiting = Waiting { index: 0, folder: "never".to_owned(), memory: 1, after: None };
        let schedule: Schedule<()> = Schedule::new(vec![waiting], JobBudget { jobs: 1, memory: 1 });
        schedule.stop();
        assert!(matches!(schedule.next(), Some(Next::Skip(job)) if job.index == 0));
        assert!(schedule.next().is_none());
    }

    /// Jobs of one folder; each waits for the build step of the one that it names.
    fn chained(after: &[Option<usize>], jobs: usize) -> Schedule<()> {
        let one = |(index, &after)| Waiting { index, folder: "a".to_owned(), memory: 1, after };
        let waiting = after.iter().enumerate().map(one).collect();
        let schedule = Schedule::new(waiting, JobBudget { jobs, memory: 100 });
        schedule.base("a", ());
        schedule
    }

    #[test]
    fn a_job_waits_for_the_build_step_of_another_and_not_for_its_end() {
        let schedule = chained(&[Some(1), None, Some(1), None], 8);
        assert_eq!((take(&schedule).index, take(&schedule).index), (1, 3));
        assert_eq!((fitting(&schedule), schedule.is_built(1)), (None, false));
        schedule.build_ended(1);
        assert!(schedule.is_built(1) && !schedule.is_built(3));
        assert_eq!((take(&schedule).index, take(&schedule).index), (0, 2));
    }

    #[test]
    fn a_job_whose_other_one_failed_begins() {
        let schedule = chained(&[None, Some(0)], 1);
        let lead = take(&schedule);
        assert_eq!(fitting(&schedule), None);
        schedule.ended(&lead);
        assert_eq!(take(&schedule).index, 1);
    }

    #[test]
    fn a_run_that_was_stopped_hands_out_what_waits_for_another_job() {
        let schedule = chained(&[None, Some(0)], 2);
        let lead = take(&schedule);
        schedule.stop();
        assert!(matches!(schedule.next(), Some(Next::Skip(job)) if job.index == 1));
        schedule.ended(&lead);
        assert!(schedule.next().is_none());
    }

    #[test]
    fn nobody_waits_for_a_build_that_was_not_begun() {
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
