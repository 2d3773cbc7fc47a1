//! A workflow file. An unknown key is an error.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

/// Variables, by name.
pub(crate) type Env = BTreeMap<String, Value>;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Workflow {
    pub(crate) name: String,
    /// The events, with their filters.
    pub(crate) on: BTreeMap<String, Value>,
    pub(crate) permissions: Permissions,
    #[serde(default)]
    pub(crate) env: Env,
    #[serde(default)]
    pub(crate) defaults: Defaults,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) jobs: BTreeMap<String, Job>,
}

/// The permissions of a job's token.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Permissions {
    /// `read-all`, `write-all` or `{}`.
    Word(String),
    /// `read`, `write` or `none` for each permission; the others have none.
    Each(BTreeMap<String, String>),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    #[serde(default)]
    pub(crate) run: RunDefaults,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RunDefaults {
    pub(crate) shell: Option<String>,
    pub(crate) working_directory: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Concurrency {
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) cancel_in_progress: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Job {
    pub(crate) name: Option<String>,
    needs: Option<OneOrMore>,
    #[serde(rename = "if")]
    pub(crate) condition: Option<Value>,
    pub(crate) runs_on: String,
    pub(crate) permissions: Option<Permissions>,
    /// Its name, or a table with the name.
    pub(crate) environment: Option<Value>,
    pub(crate) concurrency: Option<Concurrency>,
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) env: Env,
    #[serde(default)]
    pub(crate) defaults: Defaults,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) timeout_minutes: Option<Value>,
    #[serde(default)]
    pub(crate) continue_on_error: Value,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Strategy {
    pub(crate) fail_fast: Option<Value>,
    pub(crate) max_parallel: Option<Value>,
    /// A table, or an expression with a table as its value.
    pub(crate) matrix: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Step {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    #[serde(rename = "if")]
    pub(crate) condition: Option<Value>,
    pub(crate) uses: Option<String>,
    pub(crate) run: Option<String>,
    #[serde(default)]
    pub(crate) with: Env,
    #[serde(default)]
    pub(crate) env: Env,
    pub(crate) shell: Option<String>,
    pub(crate) working_directory: Option<String>,
    pub(crate) timeout_minutes: Option<Value>,
    #[serde(default)]
    pub(crate) continue_on_error: Value,
}

impl Job {
    /// The jobs that it needs.
    pub(crate) fn needs(&self) -> Vec<&str> {
        match &self.needs {
            None => Vec::new(),
            Some(OneOrMore::One(name)) => vec![name],
            Some(OneOrMore::More(names)) => names.iter().map(String::as_str).collect(),
        }
    }
}

impl Step {
    /// Its name in the logs.
    pub(crate) fn title(&self) -> &str {
        let lines = |text: &'_ str| text.lines().next().unwrap_or_default().len();
        let run = self.run.as_deref().map(|run| &run[..lines(run)]);
        self.name.as_deref().or(self.uses.as_deref()).or(run).unwrap_or_default()
    }

    /// The action's name without its commit.
    pub(crate) fn action(&self) -> Option<&str> {
        let uses = self.uses.as_deref()?;
        Some(uses.split_once('@').map_or(uses, |(name, _)| name))
    }
}

impl Workflow {
    /// Reads the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let workflow: Self = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
        for (name, job) in &workflow.jobs {
            let unknown = job.needs().into_iter().find(|need| !workflow.jobs.contains_key(*need));
            if let Some(unknown) = unknown {
                return Err(format!("job `{name}` needs `{unknown}`, which is no job"));
            }
            let mut ids = BTreeSet::new();
            for step in &job.steps {
                if step.uses.is_some() == step.run.is_some() {
                    return Err(format!("job `{name}`: a step has either `uses` or `run`"));
                }
                if step.id.as_ref().is_some_and(|id| !ids.insert(id)) {
                    return Err(format!("job `{name}`: two steps with the id {:?}", step.id));
                }
            }
        }
        workflow.order()?;
        Ok(workflow)
    }

    /// The jobs in the order of their dependencies.
    pub(crate) fn order(&self) -> Result<Vec<&str>, String> {
        let mut order: Vec<&str> = Vec::new();
        while order.len() < self.jobs.len() {
            let ready = self.jobs.iter().filter(|(name, job)| {
                !order.contains(&name.as_str())
                    && job.needs().iter().all(|need| order.contains(need))
            });
            let ready: Vec<_> = ready.map(|(name, _)| name.as_str()).collect();
            if ready.is_empty() {
                return Err("the jobs need each other in a circle".to_owned());
            }
            order.extend(ready);
        }
        Ok(order)
    }

    /// The jobs that `name` needs, directly or indirectly.
    pub(crate) fn ancestors(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut next = vec![name];
        while let Some(name) = next.pop() {
            for need in self.jobs.get(name).map(Job::needs).unwrap_or_default() {
                if let Some((need, _)) = self.jobs.get_key_value(need)
                    && found.insert(need.as_str())
                {
                    next.push(need);
                }
            }
        }
        found
    }
}

impl Permissions {
    /// The permissions of a token. A pull request from a `fork` never writes.
    pub(crate) fn granted(&self, fork: bool) -> Result<BTreeMap<String, String>, String> {
        let Self::Each(each) = self else {
            return Err("only a table of permissions is known here".to_owned());
        };
        let level = |(name, level): (&String, &String)| {
            let level = match level.as_str() {
                "write" if fork && name == "id-token" => "none",
                "write" if fork => "read",
                level @ ("read" | "write" | "none") => level,
                other => return Err(format!("permission `{name}: {other}`")),
            };
            Ok((name.clone(), level.to_owned()))
        };
        each.iter().map(level).collect()
    }
}

/// The combinations of a matrix: all combinations of its dimensions, then `include`.
pub(crate) fn combinations(matrix: &Value) -> Result<Vec<serde_json::Map<String, Value>>, String> {
    let table = matrix.as_object().ok_or("the matrix is no table")?;
    if table.contains_key("exclude") {
        return Err("`exclude` of a matrix is not known here".to_owned());
    }
    let dimensions = table.iter().filter(|(name, _)| *name != "include");
    let mut found = vec![serde_json::Map::new()];
    for (name, values) in dimensions {
        let values =
            values.as_array().ok_or_else(|| format!("`{name}` of the matrix is no list"))?;
        let with = |row: &serde_json::Map<String, Value>, value: &Value| {
            let mut row = row.clone();
            row.insert(name.clone(), value.clone());
            row
        };
        found = found.iter().flat_map(|row| values.iter().map(move |it| with(row, it))).collect();
    }
    if table.keys().all(|name| name == "include") {
        found.clear();
    }
    let original = found.len();
    let include = table.get("include").map(|it| it.as_array().ok_or("`include` is no list"));
    for entry in include.transpose()?.into_iter().flatten() {
        let entry = entry.as_object().ok_or("an entry of `include` is no table")?;
        // It extends each combination whose original values it does not change.
        let mut extended = false;
        for row in &mut found[..original] {
            let fits = entry
                .iter()
                .all(|(name, value)| !table.contains_key(name) || row.get(name) == Some(value));
            if fits {
                row.extend(entry.clone());
                extended = true;
            }
        }
        if !extended {
            found.push(entry.clone());
        }
    }
    if found.is_empty() {
        return Err("the matrix has no combination".to_owned());
    }
    Ok(found)
}
