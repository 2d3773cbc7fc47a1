//! The steps of the Dockerfile, and the state of a container before each of them.

use serde::{Deserialize, Serialize};

/// A step: a stage of `docker/Dockerfile.wheels` that runs one script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub stage: &'static str,
    /// Its parent stage. If that is a clean system, the stage whose environment it mounts: a shell has both.
    pub parent: &'static str,
    /// The stage with its scripts.
    pub files: &'static str,
    /// True if it reads the source.
    pub source: bool,
    /// True if it reads a finished wheel.
    pub wheel: bool,
    /// Its command, as typed in the container.
    pub command: &'static str,
}

/// Every step.
pub(crate) const STATES: [State; 26] = [
    state("system", "bare", "files-system", "sh /xtask/system-packages.sh"),
    state("base", "system", "files-toolchain", "sh /xtask/toolchain.sh"),
    state("interpreter", "base", "files-interpreter", "sh /xtask/interpreter.sh"),
    state(
        "fetch-sdist",
        "base",
        "files-source",
        "PYTHONPATH=/opt/toolchain python3 /xtask/fetch-sdist.py \"$SDIST\" \"$SDIST_SHA256\" /tmp/source",
    ),
    State {
        source: true,
        ..state("fetch-crates", "base", "files-fetch-crates", "sh /xtask/fetch-crates.sh")
    },
    State { source: true, ..state("before-run", "base", "files-before", "sh /xtask/before.sh") },
    State {
        source: true,
        ..state("before-run-online", "base", "files-before", "sh /xtask/before.sh")
    },
    State {
        source: true,
        ..state(
            "pyproject-run",
            "base",
            "files-pyproject",
            "python3 -ESB /xtask/pyproject.py /source /tmp/pyproject",
        )
    },
    State {
        source: true,
        ..state("fetch-build", "interpreter", "files-fetch-build", "sh /xtask/fetch-build.sh")
    },
    state(
        "build-environment",
        "interpreter",
        "files-build-environment",
        "sh /xtask/build-environment.sh",
    ),
    BUILDER,
    State { stage: "wheel-builder-online", ..BUILDER },
    State {
        source: true,
        ..state(
            "build-info-run",
            "interpreter",
            "files-info",
            "python3 -B /xtask/build-info.py /tmp/build-info",
        )
    },
    state(
        "fetch-published",
        "interpreter",
        "files-published",
        "PYTHONPATH=/opt/toolchain \"/opt/python/$PYTHONS/bin/python\" /xtask/fetch-published.py \
         \"$LIKE_PROJECT\" \"$LIKE_VERSION\" /tmp/published",
    ),
    state("fetch-auditwheel", "base", "files-repair-tools", "sh /xtask/repair-tools.sh"),
    REPAIR,
    state("smoke-system", "smoke-bare", "files-smoke-system", "sh /xtask/smoke-system.sh"),
    State {
        wheel: true,
        ..state("smoke-fetch", "smoke-system", "files-smoke-fetch", "sh /xtask/smoke-fetch.sh")
    },
    State {
        wheel: true,
        ..state(
            "smoke-requirements",
            "smoke-system",
            "files-smoke-requirements",
            "sh /xtask/smoke-requirements.sh",
        )
    },
    State {
        wheel: true,
        ..state("smoke-env", "smoke-requirements", "files-smoke-env", "sh /xtask/smoke-env.sh")
    },
    State { wheel: true, ..state("smoke-run", "smoke-env", "files-smoke", "sh /xtask/smoke.sh") },
    State {
        source: true,
        wheel: true,
        ..state(
            "test-requires-run",
            "smoke-system",
            "files-test-requires",
            "sh /xtask/test-requires.sh",
        )
    },
    State {
        source: true,
        wheel: true,
        ..state("test-fetch", "smoke-system", "files-test-fetch", "sh /xtask/test-fetch.sh")
    },
    State {
        source: true,
        wheel: true,
        ..state("test-env", "smoke-env", "files-test-env", "sh /xtask/test-env.sh")
    },
    TESTS,
    State { stage: "test-run-online", ..TESTS },
];

/// The step that builds the wheels.
pub(crate) const BUILDER: State = State {
    source: true,
    ..state("wheel-builder", "build-environment", "files-build", "sh /xtask/build.sh")
};

/// The step that runs the package tests.
const TESTS: State = State {
    source: true,
    wheel: true,
    ..state("test-run-offline", "test-env", "files-test", "sh /xtask/test.sh")
};

/// The step that repairs a wheel.
pub(crate) const REPAIR: State = State {
    source: true,
    wheel: true,
    ..state("repair-run", "built", "files-repair", "sh /xtask/repair.sh")
};

const fn state(
    stage: &'static str,
    parent: &'static str,
    files: &'static str,
    command: &'static str,
) -> State {
    State { stage, parent, files, source: false, wheel: false, command }
}

/// The last failure of a job's build steps, as a file in the job's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// Image of the target, as users type it.
    pub image: String,
    pub platform: String,
    pub interpreter: String,
    /// The stage whose step failed.
    pub stage: String,
}

/// The stage of a step from its name in `BuildKit`: `[wheel-builder 1/1] RUN ...`, or `[linux/arm64 base 2/3] ...`
/// for several platforms.
pub(super) fn stage_of(name: &str) -> Option<&str> {
    let (inside, _) = name.strip_prefix('[')?.split_once(']')?;
    let words: Vec<&str> = inside.split_whitespace().collect();
    match words.as_slice() {
        [.., stage, count] if count.contains('/') => Some(stage),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use super::*;

    /// Stages of the Dockerfile that run commands: name, parent stage, and the stage mounted at `/xtask`.
    fn stages() -> BTreeMap<String, (String, String)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docker/Dockerfile.wheels");
        let text = fs_err::read_to_string(path).unwrap().replace("\\\n", " ");
        let mut stages = BTreeMap::new();
        let mut current = (String::new(), String::new());
        for line in text.lines() {
            let words = line.split_whitespace().filter(|word| !word.starts_with("--platform="));
            let words: Vec<&str> = words.collect();
            if let ["FROM", parent, "AS", name] = words.as_slice() {
                current = ((*name).to_owned(), (*parent).to_owned());
            } else if words.first() == Some(&"RUN") {
                let mounted = line.split("type=bind,from=").nth(1).unwrap();
                let files = mounted.split(',').next().unwrap().to_owned();
                let before = stages.insert(current.0.clone(), (current.1.clone(), files));
                assert_eq!(
                    before, None,
                    "`{}` runs two steps: the state between them has no name",
                    current.0
                );
            }
        }
        stages
    }

    #[test]
    fn every_step_of_the_dockerfile_has_a_state() {
        let known = STATES.map(|state| {
            let is_clean =
                ["smoke-env", "test-env"].contains(&state.parent) && state.stage.contains("-run");
            let parent = if is_clean { "smoke-system" } else { state.parent };
            (state.stage.to_owned(), (parent.to_owned(), state.files.to_owned()))
        });
        let mut stages = stages();
        // On the engine's own platform, in none of the job's containers.
        assert!(stages.remove("native-build").is_some());
        // `try` builds nothing, so no job runs its steps.
        for stage in ["try-system", "try-tools", "try-pythons-run", "try-run"] {
            assert!(stages.remove(stage).is_some(), "{stage}");
        }
        assert_eq!(stages, BTreeMap::from(known));
    }

    #[test]
    fn a_step_is_identified_by_its_name_in_the_engine() {
        assert_eq!(stage_of("[wheel-builder 1/1] RUN --mount=type=bind x"), Some("wheel-builder"));
        assert_eq!(stage_of("[linux/arm64 base 2/3] RUN x"), Some("base"));
        assert_eq!(stage_of("[internal] load build definition"), None);
        assert_eq!(stage_of("exporting to client"), None);
    }
}
