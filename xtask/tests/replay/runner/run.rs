//! A run: the jobs of the workflow for one event, in the order of their dependencies.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value, json};

use super::artifacts::Artifacts;
use super::event::{Event, REPOSITORY};
use super::expression::{Scope, Status, condition, interpolate, string, truthy};
use super::hub::{Hub, git};
use super::job::{self, Instance};
use super::workflow::{Workflow, combinations};

/// The result of a step or a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conclusion {
    Success,
    Failure,
    Cancelled,
    Skipped,
}

impl Conclusion {
    /// Its name in contexts.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// The machine that runs jobs.
pub(crate) struct Machine {
    /// Its labels.
    pub(crate) labels: &'static [&'static str],
    /// Variables of all steps. `PATH` is a prefix.
    pub(crate) env: BTreeMap<String, String>,
    /// True if steps inherit the variables of this process.
    pub(crate) inherits: bool,
    /// Variables of the cache service, which only actions have; empty without a service.
    pub(crate) service: BTreeMap<String, String>,
    /// Called with the folder of each checkout.
    pub(crate) checked_out: Box<dyn Fn(&Utf8Path)>,
}

/// The result of a job: one instance for each combination of its matrix.
#[derive(Debug, Clone)]
pub(crate) struct JobRecord {
    pub(crate) result: Conclusion,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) instances: Vec<Instance>,
}

/// A run of the workflow.
pub(crate) struct Run<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) machine: &'a Machine,
    pub(crate) event: Event,
    pub(crate) workflow: Workflow,
    pub(crate) artifacts: Artifacts,
    pub(crate) folder: Utf8PathBuf,
    pub(crate) attempt: usize,
    pub(crate) jobs: BTreeMap<String, JobRecord>,
    _dir: tempfile::TempDir,
}

/// The path of the generated workflow.
const PATH: &str = ".github/workflows/wheels-docker.yml";

impl<'a> Run<'a> {
    /// The workflow of the event's commit.
    #[track_caller]
    pub(crate) fn workflow(hub: &Hub, event: &Event) -> Workflow {
        let text = git(&hub.origin(), &["show", &format!("{}:{PATH}", event.sha)]).unwrap();
        Workflow::parse(&text).unwrap()
    }

    /// Runs the workflow of the event's commit; `None` if the event does not start it.
    #[track_caller]
    pub(crate) fn of(hub: &'a Hub, machine: &'a Machine, event: Event) -> Option<Self> {
        Self::try_of(hub, machine, event).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Like `run`; an error if the runner does not support something.
    pub(crate) fn try_of(
        hub: &'a Hub,
        machine: &'a Machine,
        event: Event,
    ) -> Result<Option<Self>, String> {
        let workflow = Self::workflow(hub, &event);
        if !event.triggers(&workflow)? {
            return Ok(None);
        }
        let dir = tempfile::tempdir_in(&hub.folder).unwrap();
        let folder = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        let artifacts = Artifacts::new(folder.join("artifacts"));
        let jobs = BTreeMap::new();
        let mut run =
            Self { hub, machine, event, workflow, artifacts, folder, attempt: 1, jobs, _dir: dir };
        run.execute(&[])?;
        Ok(Some(run))
    }

    /// Runs `job` again, and the jobs that need it, like "Re-run job".
    #[track_caller]
    pub(crate) fn again(&mut self, job: &str) {
        self.attempt += 1;
        let keep = |name: &&String| **name != job && !self.workflow.ancestors(name).contains(job);
        let keep: Vec<String> = self.workflow.jobs.keys().filter(keep).cloned().collect();
        self.execute(&keep).unwrap();
    }

    /// The result of each job, by name.
    pub(crate) fn results(&self) -> Vec<(&str, Conclusion)> {
        let order = self.workflow.order().unwrap();
        order.into_iter().map(|name| (name, self.jobs[name].result)).collect()
    }

    /// The instance of a job without a matrix.
    #[track_caller]
    pub(crate) fn job(&self, name: &str) -> &Instance {
        let record = &self.jobs[name];
        assert_eq!(record.instances.len(), 1, "{name}: {:?}", record.result);
        &record.instances[0]
    }

    /// Fails unless each job has the expected result; the others must succeed.
    #[track_caller]
    pub(crate) fn ends(&self, expected: &[(&str, Conclusion)]) {
        for (name, result) in self.results() {
            let expected = expected.iter().find(|(other, _)| *other == name);
            let expected = expected.map_or(Conclusion::Success, |(_, result)| *result);
            let logs = self.jobs[name].instances.iter().map(Instance::log).collect::<String>();
            assert_eq!(result, expected, "job {name}:\n{logs}");
        }
    }

    fn execute(&mut self, keep: &[String]) -> Result<(), String> {
        self.check_concurrency()?;
        let order: Vec<String> = self.workflow.order()?.into_iter().map(str::to_owned).collect();
        self.jobs.retain(|name, _| keep.contains(name));
        for name in order {
            if !keep.contains(&name) {
                let record =
                    self.job_of(&name).map_err(|error| format!("job `{name}`: {error}"))?;
                self.jobs.insert(name, record);
            }
        }
        Ok(())
    }

    fn check_concurrency(&self) -> Result<(), String> {
        let contexts = BTreeMap::from([("github", self.github()), ("vars", json!({}))]);
        let scope = Scope { contexts, ..Scope::default() };
        let all = self.workflow.jobs.values().filter_map(|job| job.concurrency.as_ref());
        for concurrency in all.chain(&self.workflow.concurrency) {
            interpolate(&concurrency.group, &scope)?;
            interpolate(&string(&concurrency.cancel_in_progress), &scope)?;
        }
        Ok(())
    }

    fn job_of(&self, name: &str) -> Result<JobRecord, String> {
        let job = &self.workflow.jobs[name];
        let mut contexts = BTreeMap::from([
            ("github", self.github()),
            ("needs", self.needs(&job.needs())),
            ("vars", json!({})),
            ("inputs", json!({})),
        ]);
        // The state of all earlier jobs, not only of the needed ones: GitHub skips a job if any of them failed.
        let before = self.workflow.ancestors(name);
        let before = before.iter().map(|name| self.jobs[*name].result).collect::<Vec<_>>();
        let status = Status {
            success: before.iter().all(|result| *result == Conclusion::Success),
            failure: before.contains(&Conclusion::Failure),
            cancelled: before.contains(&Conclusion::Cancelled),
        };
        let scope = Scope { contexts: contexts.clone(), status: Some(status), workspace: None };
        if !condition(job.condition.as_ref(), &scope)? {
            let outputs = BTreeMap::new();
            return Ok(JobRecord { result: Conclusion::Skipped, outputs, instances: Vec::new() });
        }
        let scope = Scope { status: None, ..scope };
        let mut rows = vec![Map::new()];
        let mut fail_fast = false;
        if let Some(strategy) = &job.strategy {
            let matrix = match &strategy.matrix {
                Value::String(text) => interpolate(text, &scope)?,
                table => interpolated(table, &scope)?,
            };
            rows = combinations(&matrix)?;
            fail_fast = strategy.fail_fast.as_ref().is_none_or(truthy);
        }
        let mut record = JobRecord {
            result: Conclusion::Success,
            outputs: BTreeMap::new(),
            instances: Vec::new(),
        };
        let total = rows.len();
        for (number, row) in rows.into_iter().enumerate() {
            let strategy = json!({"fail-fast": fail_fast, "job-index": number, "job-total": total});
            contexts.insert("strategy", strategy);
            contexts.insert("matrix", Value::Object(row));
            let instance = job::execute(self, name, job, contexts.clone(), number)?;
            let scope = Scope { contexts: contexts.clone(), ..Scope::default() };
            let goes_on = match &job.continue_on_error {
                Value::String(text) => truthy(&interpolate(text, &scope)?),
                other => truthy(other),
            };
            // The jobs that need it see a success then.
            if instance.result != Conclusion::Success && !goes_on {
                record.result = instance.result;
            }
            record.outputs.extend(instance.outputs.clone());
            record.instances.push(instance);
            if fail_fast && record.result != Conclusion::Success {
                break;
            }
        }
        Ok(record)
    }

    fn needs(&self, names: &[&str]) -> Value {
        let need = |name: &&str| {
            let record = &self.jobs[*name];
            let value = json!({"result": record.result.word(), "outputs": record.outputs});
            ((*name).to_owned(), value)
        };
        Value::Object(names.iter().map(need).collect())
    }

    fn github(&self) -> Value {
        let event = &self.event;
        let is_request = event.name == "pull_request";
        json!({
            "event_name": event.name,
            "event": event.payload(),
            "ref": event.reference,
            "ref_name": event.ref_name(),
            "ref_type": if event.is_tag() { "tag" } else { "branch" },
            "base_ref": if is_request { super::event::BRANCH } else { "" },
            "head_ref": if is_request { "topic" } else { "" },
            "sha": event.sha,
            "repository": REPOSITORY,
            "repository_owner": REPOSITORY.split('/').next(),
            "workflow": self.workflow.name,
            "run_id": "1",
            "run_number": "1",
            "run_attempt": self.attempt.to_string(),
            "actor": "someone",
            "server_url": "https://github.example",
            "api_url": "https://api.github.example",
        })
    }

    /// The variables that a runner sets for each step.
    pub(crate) fn variables(
        &self,
        job: &str,
        folder: &Utf8Path,
        path: &[String],
    ) -> BTreeMap<String, String> {
        let mut variables = self.machine.env.clone();
        let Value::Object(github) = self.github() else { return variables };
        for (name, value) in github.iter().filter(|(_, value)| value.is_string()) {
            variables.insert(format!("GITHUB_{}", name.to_uppercase()), string(value));
        }
        let event = self.folder.join("event.json");
        let _ = fs_err::write(&event, self.event.payload().to_string());
        let own = self.machine.env.get("PATH").cloned();
        let own = own.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
        let gh = self.hub.folder.join("bin").into_string();
        let path: Vec<_> = path.iter().chain([&gh, &own]).cloned().collect();
        for (name, value) in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_JOB", job),
            ("GITHUB_EVENT_PATH", event.as_str()),
            ("GITHUB_WORKSPACE", folder.join("work").as_str()),
            ("RUNNER_TEMP", folder.join("temp").as_str()),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
            ("REPLAY_HUB", self.hub.folder.as_str()),
            ("PATH", &path.join(":")),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }
}

/// `value` with the expressions in all its strings evaluated.
fn interpolated(value: &Value, scope: &Scope) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => interpolate(text, scope)?,
        Value::Array(list) => {
            Value::Array(list.iter().map(|it| interpolated(it, scope)).collect::<Result<_, _>>()?)
        }
        Value::Object(table) => {
            let each = table.iter().map(|(name, it)| Ok((name.clone(), interpolated(it, scope)?)));
            Value::Object(each.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}
