//! One job of a run: runs its steps in sequence in a fresh folder.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde_json::{Map, Value, json};

use super::actions::{Fault, Inputs, Place, perform};
use super::expression::{Scope, Status, condition, interpolate, string, text, truthy};
use super::run::{Conclusion, Run};
use super::shell::{self, Files, Script, Written};
use super::workflow::{Env, Job, Step};

/// The result of a step.
#[derive(Debug, Clone)]
pub(crate) struct StepRecord {
    pub(crate) title: String,
    pub(crate) id: Option<String>,
    /// Before and after `continue-on-error`.
    pub(crate) outcome: Conclusion,
    pub(crate) conclusion: Conclusion,
    pub(crate) outputs: BTreeMap<String, String>,
    /// Its output, and the reason of a failure.
    pub(crate) log: String,
    pub(crate) seconds: f64,
    /// True if its environment or inputs contain the token.
    pub(crate) received_token: bool,
}

/// The result of one job, or of one combination of a matrix.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) result: Conclusion,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) summary: String,
    pub(crate) workspace: Utf8PathBuf,
    pub(crate) permissions: BTreeMap<String, String>,
    /// The begin and end of the engine's steps, from the tool's log, in seconds since the step began.
    pub(crate) engine: Vec<(f64, String)>,
}

impl Instance {
    /// The step whose title contains `part`.
    #[track_caller]
    pub(crate) fn step(&self, part: &str) -> &StepRecord {
        let found = self.steps.iter().find(|step| step.title.contains(part));
        found.unwrap_or_else(|| panic!("no step `{part}` in {}: {:?}", self.name, self.titles()))
    }

    /// The titles of its steps.
    pub(crate) fn titles(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.title.as_str()).collect()
    }

    /// The output of all its steps.
    pub(crate) fn log(&self) -> String {
        let step = |step: &StepRecord| {
            format!(
                "--- {} ({:?}, {:.1} s)\n{}",
                step.title, step.conclusion, step.seconds, step.log
            )
        };
        self.steps.iter().map(step).collect::<Vec<_>>().join("\n")
    }

    /// The seconds of all steps.
    pub(crate) fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds).sum()
    }
}

/// A job on its runner.
struct Running<'a> {
    run: &'a Run<'a>,
    id: &'a str,
    job: &'a Job,
    folder: Utf8PathBuf,
    /// The contexts of the job's own keys.
    contexts: BTreeMap<&'static str, Value>,
    env: BTreeMap<String, String>,
    path: Vec<String>,
    token: String,
    permissions: BTreeMap<String, String>,
    environment: Option<String>,
    deadline: Instant,
    cancelled: bool,
    done: Instance,
}

/// Runs the job `id` for one combination of its matrix.
pub(crate) fn execute(
    run: &Run<'_>,
    id: &str,
    job: &Job,
    contexts: BTreeMap<&'static str, Value>,
    number: usize,
) -> Result<Instance, String> {
    let scope = Scope { contexts: contexts.clone(), ..Scope::default() };
    let name = job
        .name
        .as_deref()
        .map_or(Ok(id.to_owned()), |name| interpolate(name, &scope).map(|name| string(&name)))?;
    let label = string(&interpolate(&job.runs_on, &scope)?);
    if !run.machine.labels.contains(&label.as_str()) {
        return Err(format!("{name}: there is no machine `{label}` here"));
    }
    let environment = match &job.environment {
        None => None,
        Some(Value::Object(table)) => table.get("name").map(|it| text(it, &scope)).transpose()?,
        Some(name) => Some(text(name, &scope)?),
    };
    let permissions = job.permissions.as_ref().unwrap_or(&run.workflow.permissions);
    let permissions = permissions.granted(run.event.from_fork)?;
    let limit = match &job.timeout_minutes {
        None => 360.0,
        Some(value) => text(value, &scope)?.parse::<f64>().map_err(|error| error.to_string())?,
    };
    let folder = run.folder.join(format!("{id}-{number}-{}", run.attempt));
    for part in ["work", "temp"] {
        fs_err::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
    }
    let token = run.hub.token(&permissions);
    let done = Instance {
        name,
        result: Conclusion::Success,
        outputs: BTreeMap::new(),
        steps: Vec::new(),
        summary: String::new(),
        workspace: folder.join("work"),
        permissions: permissions.clone(),
        engine: Vec::new(),
    };
    let mut running = Running {
        run,
        id,
        job,
        contexts,
        env: BTreeMap::new(),
        path: Vec::new(),
        token,
        permissions,
        environment,
        deadline: Instant::now() + Duration::from_secs_f64(limit * 60.0),
        cancelled: false,
        done,
        folder,
    };
    running.steps()?;
    Ok(running.done)
}

impl Running<'_> {
    fn steps(&mut self) -> Result<(), String> {
        let runner = json!({"os": "Linux", "arch": "X64", "name": "replay",
            "temp": self.folder.join("temp"), "environment": "github-hosted"});
        self.contexts.insert("runner", runner);
        self.contexts.insert("secrets", json!({"GITHUB_TOKEN": self.token}));
        if let Some(Value::Object(github)) = self.contexts.get_mut("github") {
            github.insert("token".to_owned(), self.token.clone().into());
            github.insert("workspace".to_owned(), self.done.workspace.as_str().into());
            github.insert("job".to_owned(), self.id.into());
        }
        let workflow_env = self.variables(&self.run.workflow.env)?;
        self.env.extend(workflow_env);
        let job_env = self.variables(&self.job.env)?;
        self.env.extend(job_env);
        for (number, step) in self.job.steps.iter().enumerate() {
            let record = self.step(number, step)?;
            if record.conclusion == Conclusion::Failure {
                self.done.result = Conclusion::Failure;
            }
            self.done.steps.push(record);
        }
        if self.cancelled {
            self.done.result = Conclusion::Cancelled;
        }
        let scope = self.scope(&self.env);
        for (name, value) in &self.job.outputs {
            let value = string(&interpolate(value, &scope)?);
            self.done.outputs.insert(name.clone(), value);
        }
        Ok(())
    }

    fn scope(&self, env: &BTreeMap<String, String>) -> Scope {
        let mut contexts = self.contexts.clone();
        let failed = self.done.result == Conclusion::Failure;
        let status = if failed { "failure" } else { "success" };
        contexts.insert("job", json!({"status": status}));
        contexts.insert("env", json!(env));
        let with_id = self.done.steps.iter().filter_map(|step| Some((step.id.clone()?, step)));
        let steps: Map<String, Value> = with_id
            .map(|(id, step)| {
                let words = (step.outcome.word(), step.conclusion.word());
                (id, json!({"outputs": step.outputs, "outcome": words.0, "conclusion": words.1}))
            })
            .collect();
        contexts.insert("steps", Value::Object(steps));
        Scope { contexts, status: None, workspace: Some(self.done.workspace.clone()) }
    }

    fn variables(&self, env: &Env) -> Result<BTreeMap<String, String>, String> {
        let scope = self.scope(&self.env);
        env.iter().map(|(name, value)| Ok((name.clone(), text(value, &scope)?))).collect()
    }

    fn step(&mut self, number: usize, step: &Step) -> Result<StepRecord, String> {
        let mut scope = self.scope(&self.env);
        let failure = self.done.result == Conclusion::Failure;
        let success = !failure && !self.cancelled;
        scope.status = Some(Status { success, failure, cancelled: self.cancelled });
        // `if` has no secrets.
        scope.contexts.remove("secrets");
        let mut record = StepRecord {
            title: step.title().to_owned(),
            id: step.id.clone(),
            outcome: Conclusion::Skipped,
            conclusion: Conclusion::Skipped,
            outputs: BTreeMap::new(),
            log: String::new(),
            seconds: 0.0,
            received_token: false,
        };
        if !condition(step.condition.as_ref(), &scope)? {
            return Ok(record);
        }
        let start = Instant::now();
        let result = self.perform(number, step, &mut record);
        record.seconds = start.elapsed().as_secs_f64();
        let scope = self.scope(&self.env);
        let goes_on = match &step.continue_on_error {
            Value::String(text) => truthy(&interpolate(text, &scope)?),
            other => truthy(other),
        };
        record.outcome = match result {
            Ok(()) => Conclusion::Success,
            Err(Fault::Step(why)) => {
                record.log.push_str(&why);
                Conclusion::Failure
            }
            Err(Fault::Replay(why)) => return Err(format!("{}: {why}", record.title)),
        };
        if Instant::now() > self.deadline {
            self.cancelled = true;
        }
        record.conclusion = if goes_on { Conclusion::Success } else { record.outcome };
        Ok(record)
    }

    fn perform(
        &mut self,
        number: usize,
        step: &Step,
        record: &mut StepRecord,
    ) -> Result<(), Fault> {
        let of_replay = Fault::Replay;
        let mut env = self.env.clone();
        env.extend(self.variables(&step.env).map_err(of_replay)?);
        let scope = self.scope(&env);
        let inputs = step.with.iter().map(|(name, value)| Ok((name.clone(), text(value, &scope)?)));
        let inputs = inputs.collect::<Result<BTreeMap<_, _>, String>>().map_err(of_replay)?;
        let has_token = |text: &String| text.contains(&self.token);
        record.received_token = env.values().chain(inputs.values()).any(has_token);
        if let Some(action) = step.action() {
            let place = Place {
                run: self.run,
                workspace: &self.done.workspace,
                permissions: &self.permissions,
                environment: self.environment.as_deref(),
                env: &env,
            };
            record.outputs = perform(action, Inputs(inputs), &place)?;
            return Ok(());
        }
        let written = self.script(number, step, env, &scope, record)?;
        record.outputs = written.outputs;
        self.env.extend(written.env);
        self.path.splice(0..0, written.path);
        self.done.summary += &written.summary;
        Ok(())
    }

    fn script(
        &mut self,
        number: usize,
        step: &Step,
        env: BTreeMap<String, String>,
        scope: &Scope,
        record: &mut StepRecord,
    ) -> Result<Written, Fault> {
        let io = |error: std::io::Error| Fault::Replay(error.to_string());
        let value =
            |text: &str| interpolate(text, scope).map(|it| string(&it)).map_err(Fault::Replay);
        let (job, all) = (&self.job.defaults.run, &self.run.workflow.defaults.run);
        let shell = step.shell.as_ref().or(job.shell.as_ref()).or(all.shell.as_ref());
        let folder = step.working_directory.as_ref();
        let folder = folder.or(job.working_directory.as_ref()).or(all.working_directory.as_ref());
        let folder = folder.map_or_else(|| Ok(String::new()), |it| value(it))?;
        let files = Files::new(self.folder.join(format!("files-{number}"))).map_err(io)?;
        let mut whole = self.run.variables(self.id, &self.folder, &self.path);
        whole.extend(files.variables());
        whole.extend(env);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let own = step.timeout_minutes.as_ref().map(|it| text(it, scope)).transpose();
        let own = own.map_err(Fault::Replay)?.and_then(|it| it.parse::<f64>().ok());
        let limit = own.map_or(left, |own| left.min(Duration::from_secs_f64(own * 60.0)));
        let script = Script {
            text: &value(step.run.as_deref().unwrap_or_default())?,
            shell: shell.map(String::as_str),
            folder: self.done.workspace.join(folder),
            env: &whole,
            inherits: self.run.machine.inherits,
            log: self.folder.join(format!("step-{number}.log")),
            limit,
        };
        let (start, logs) = (Instant::now(), self.done.workspace.join("target/xtask/logs"));
        let engine = &mut self.done.engine;
        let mut watch = || super::engine::watch(&logs, start, engine);
        let result = shell::run(&script, &mut watch);
        record.log = String::from_utf8_lossy(&fs_err::read(&script.log).map_err(io)?).into_owned();
        result?;
        files.read().map_err(Fault::Step)
    }
}
