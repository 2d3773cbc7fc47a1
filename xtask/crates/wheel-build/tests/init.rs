//! `cargo xtask init`: three packages adopt the tool from a path, a copy and a git repository, and upgrade it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

struct Repository {
    _dir: tempfile::TempDir,
    root: Utf8PathBuf,
}

fn clone() -> &'static Utf8Path {
    let this = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(3).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn code(output: &Output, code: i32) -> String {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
    stdout + &stderr
}

fn git(folder: &Utf8Path, args: &[&str]) {
    let identity =
        ["-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "init.defaultBranch=main"];
    let output =
        Command::new("git").args(identity).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
}

impl Repository {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::try_from(dir.path().canonicalize().unwrap()).unwrap().join("repo");
        fs_err::create_dir(&root).unwrap();
        let repository = Self { _dir: dir, root };
        for (path, text) in files {
            repository.write(path, text);
        }
        git(&repository.root, &["init", "--quiet"]);
        repository
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.root.join(path)).unwrap()
    }

    /// The program in `workspace`, which is a clone of the tool or uses it.
    fn program(workspace: &Utf8Path, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_wheel-build"))
            .args(args)
            .env("CARGO_MANIFEST_DIR", workspace.join("xtask"))
            .current_dir(workspace)
            .output()
            .unwrap()
    }

    fn init(&self, args: &[&str]) -> Output {
        Self::program(clone(), &[&["init", self.root.as_str()], args].concat())
    }

    fn run(&self, args: &[&str]) -> Output {
        Self::program(&self.root, args)
    }

    /// The packages that cargo finds for a manifest.
    fn packages(&self, manifest: &str, offline: bool) -> Vec<String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "tree",
            "--prefix",
            "none",
            "--workspace",
            "--format",
            "{p}",
            "--manifest-path",
            manifest,
        ]);
        if offline {
            cargo.arg("--offline");
        }
        let output = cargo.current_dir(&self.root).output().unwrap();
        let names = code(&output, 0);
        names.lines().filter_map(|line| Some(line.split_once(" v")?.0.to_owned())).collect()
    }

    /// The states that `init --check` and `--upgrade` report for outdated files.
    fn states(&self, args: &[&str], wanted: i32) -> Vec<(String, String)> {
        let output = self.run(&[&["init", "--json"], args].concat());
        assert_eq!(output.status.code(), Some(wanted), "{}", text(&output.stderr));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let files = json.as_array().unwrap().iter();
        let files = files.map(|file| (word(&file["path"]), word(&file["state"])));
        files.filter(|(_, state)| state != "current").collect()
    }
}

/// setuptools with C, a flat layout, and folders whose names are also those of the tool.
fn with_c() -> Repository {
    Repository::new(&[
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n\
             [project]\nname = \"demo\"\nversion = \"1.0\"\nrequires-python = \">=3.11,<3.13\"\n",
        ),
        ("docker/Dockerfile", "FROM scratch\n"),
        ("scripts/build.sh", "evil\n"),
        (".gitignore", "*.o"),
        (".cargo/config.toml", "[build]\njobs = 2\n"),
    ])
}

/// maturin, with the crate at the root.
fn with_crate() -> Repository {
    Repository::new(&[
        (
            "pyproject.toml",
            "[build-system]\nrequires = [\"maturin>=1\"]\nbuild-backend = \"maturin\"\n\
             [project]\nname = \"demo\"\nversion = \"1.0\"\n",
        ),
        ("Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\nedition = \"2021\"\n"),
        ("src/lib.rs", ""),
    ])
}

/// The missing files that a `.rs` file below `top` includes by a relative path.
fn missing_includes(top: &Utf8Path) -> Vec<String> {
    let mut missing = Vec::new();
    for entry in walkdir::WalkDir::new(top) {
        let path = Utf8PathBuf::try_from(entry.unwrap().into_path()).unwrap();
        if path.extension() != Some("rs") {
            continue;
        }
        let source = fs_err::read_to_string(&path).unwrap();
        for macro_name in ["include_str!(\"", "include_bytes!(\""] {
            let included = source.split(macro_name).skip(1).map(|rest| rest.split('"').next());
            let included = included.map(|name| path.parent().unwrap().join(name.unwrap()));
            missing.extend(included.filter(|file| !file.is_file()).map(Utf8PathBuf::into_string));
        }
    }
    missing
}

#[test]
fn a_package_adopts_the_tool_from_a_path_and_keeps_its_files() {
    let repository = with_c();
    let tool = format!("path={}", clone());
    let dry = text(&repository.init(&["--tool", &tool, "--dry-run"]).stdout);
    assert!(dry.contains("==> wheels.toml\n") && !repository.root.join("wheels.toml").exists());
    let output = code(&repository.init(&["--tool", &tool]), 0);
    assert!(output.contains("cargo xtask wheels --setup debian:12"), "{output}");
    assert!(output.contains(" --python cp311`\n"), "{output}");
    assert!(repository.read("wheels.toml").contains("pythons = [\"cp311\", \"cp312\"]"));
    assert!(repository.read(".gitignore").starts_with("*.o\n/target/\n"));
    let config = repository.read(".cargo/config.toml");
    assert!(config.contains("jobs = 2") && config.contains("xtask ="), "{config}");
    assert!(repository.packages("xtask/Cargo.toml", true).contains(&"wheel-build".to_owned()));
    // The tool runs there.
    code(&repository.run(&["workflow", "check"]), 0);
    code(&repository.run(&["matrix"]), 0);
    // A second run has nothing to do.
    code(&repository.init(&["--tool", &tool]), 0);
    assert_eq!(repository.states(&["--check"], 0), []);
}

#[test]
fn a_package_adopts_a_copy_of_the_tool() {
    let repository = with_crate();
    code(&repository.init(&["--tool", "vendor"]), 0);
    assert!(repository.read("wheels.toml").contains("rust = \"rustup\""));
    let packages = repository.packages("xtask/Cargo.toml", true);
    assert!(packages.contains(&"wheel-audit".to_owned()), "{packages:?}");
    assert!(!packages.contains(&"insta".to_owned()), "nothing that only tests need");
    assert_eq!(missing_includes(&repository.root.join("xtask/vendor")), [""; 0]);
    // The package's own crate never builds the tool.
    assert_eq!(repository.packages("Cargo.toml", true), ["demo"]);
    assert_eq!(repository.states(&["--check"], 0), []);
}

#[test]
fn a_package_adopts_a_commit_of_the_tool() {
    let tool = Repository::new(&[]);
    for entry in ["Cargo.toml", "Cargo.lock", "LICENSE", "docker", "scripts", "xtask"] {
        let from = clone().join(entry);
        let args = ["-a", from.as_str(), tool.root.as_str()];
        assert!(Command::new("cp").args(args).status().unwrap().success());
    }
    git(&tool.root, &["add", "--all"]);
    git(&tool.root, &["commit", "--quiet", "--message", "one"]);
    let repository = with_c();
    let commit = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&tool.root).output();
    let url = format!("git=file://{}#{}", tool.root, text(&commit.unwrap().stdout).trim());
    code(&repository.init(&["--tool", &url]), 0);
    assert!(repository.packages("xtask/Cargo.toml", false).contains(&"wheel-build".to_owned()));
}

#[test]
fn a_member_joins_the_existing_workspace() {
    let repository = with_crate();
    let tool = format!("path={}", clone());
    code(&repository.init(&["--tool", &tool, "--member"]), 0);
    let packages = repository.packages("Cargo.toml", true);
    assert!(packages.contains(&"demo".to_owned()) && packages.contains(&"xtask".to_owned()));
    assert!(repository.read(".cargo/config.toml").contains("run --package xtask --"));
    let other = with_c();
    let output = code(&other.init(&["--tool", &tool, "--member"]), 2);
    assert!(output.contains("--member"), "{output}");
}

#[test]
fn a_member_uses_a_copy_with_its_own_workspace() {
    let repository = with_crate();
    code(&repository.init(&["--tool", "vendor", "--member"]), 0);
    let packages = repository.packages("Cargo.toml", true);
    for name in ["demo", "xtask", "wheel-build", "wheel-audit"] {
        assert!(packages.contains(&name.to_owned()), "{name} in {packages:?}");
    }
    let manifest: toml_edit::DocumentMut = repository.read("Cargo.toml").parse().unwrap();
    let excluded = manifest["workspace"]["exclude"].as_array().unwrap();
    assert_eq!(
        excluded.iter().filter_map(|path| path.as_str()).collect::<Vec<_>>(),
        ["xtask/vendor"]
    );
    let written = repository.read("Cargo.toml");
    code(&repository.init(&["--tool", "vendor", "--member"]), 0);
    assert_eq!(repository.read("Cargo.toml"), written, "once more, nothing is to do");
    // A member that used another source of the tool switches to a copy.
    let other = with_crate();
    code(&other.init(&["--tool", &format!("path={}", clone()), "--member"]), 0);
    code(&other.init(&["--upgrade", "--tool", "vendor"]), 0);
    assert_eq!(other.read("Cargo.toml"), written);
    assert_eq!(other.packages("Cargo.toml", true), packages);
}

#[test]
fn a_clone_of_the_tool_cannot_adopt_itself() {
    // Without `--tool`, `init` would look for the clone's `origin`.
    let output = code(&Repository::program(clone(), &["init", clone().as_str()]), 2);
    assert!(output.contains("a clone ") && output.contains("hint: "), "{output}");
    assert!(!output.contains("origin"), "{output}");
    // A repository that uses the tool is not a source for another one.
    let (repository, other) = (with_c(), with_c());
    code(&repository.init(&["--tool", "vendor"]), 0);
    let output = code(&repository.run(&["init", other.root.as_str()]), 2);
    assert!(output.contains("--tool") && !other.root.join("xtask").exists(), "{output}");
}

#[test]
fn a_folder_below_the_top_is_adopted_with_a_note() {
    let note = |repository: &Repository| {
        let output = repository.init(&["--tool", "vendor", "--dry-run"]);
        code(&output, 0);
        let lines = text(&output.stderr);
        let about = |line: &&str| line.contains("repository") && line.contains(".github/");
        lines.lines().find(about).map(str::to_owned)
    };
    let mut repository = with_c();
    assert_eq!(note(&repository), None);
    let top = repository.root.clone();
    fs_err::create_dir(top.join("below")).unwrap();
    fs_err::rename(top.join("pyproject.toml"), top.join("below/pyproject.toml")).unwrap();
    repository.root = top.join("below");
    assert!(note(&repository).unwrap().contains(top.join(".github/workflows").as_str()));
    fs_err::remove_dir_all(top.join(".git")).unwrap();
    assert!(note(&repository).unwrap().contains("git init"));
}

#[test]
fn a_tool_in_git_needs_a_revision() {
    let repository = with_c();
    let output = code(&repository.init(&["--tool", "git=https://a.example/x.git"]), 2);
    assert!(output.contains("no revision"), "{output}");
    assert!(
        output.contains("hint: ") && output.contains("`git=https://a.example/x.git#REV`"),
        "{output}"
    );
}

#[test]
fn a_copy_is_upgraded_from_a_clone() {
    let repository = with_c();
    code(&repository.init(&["--tool", "vendor"]), 0);
    let lost = "xtask/vendor/scripts/build.sh";
    fs_err::remove_file(repository.root.join(lost)).unwrap();
    // The command in the hint works.
    let output = code(&repository.run(&["init", "--upgrade", "--tool", "vendor"]), 2);
    let command = ["init", "--upgrade", repository.root.as_str(), "--tool", "vendor"];
    assert!(output.contains(&format!("`cargo xtask {}`", command.join(" "))), "{output}");
    let output = code(&Repository::program(clone(), &command), 0);
    assert!(output.contains("`xtask/Cargo.toml`") && output.contains("a copy"), "{output}");
    assert!(output.contains("`xtask/Cargo.lock`") && output.contains("doctor"), "{output}");
    assert!(repository.root.join(lost).exists());
    let output = code(&Repository::program(clone(), &command[..3]), 0);
    assert!(output.contains("`xtask/Cargo.toml`") && output.contains("`--tool "), "{output}");
}

#[test]
fn existing_files_prevent_any_change() {
    let repository = with_c();
    repository.write("xtask/src/main.rs", "fn main() {}\n");
    repository.write(".cargo/config.toml", "alias.xtask = \"run --package mine --\"\n");
    let output = code(&repository.init(&["--tool", "vendor"]), 2);
    assert!(
        output.contains("xtask/src/main.rs") && output.contains(".cargo/config.toml"),
        "{output}"
    );
    assert!(!repository.root.join("wheels.toml").exists());
    let empty = Repository::new(&[]);
    let output = code(&empty.init(&["--tool", "vendor"]), 2);
    assert!(output.contains("pyproject.toml"), "{output}");
    code(&repository.init(&["--tool", "svn=x"]), 2);
}

#[test]
fn an_existing_alias_of_any_form_stays() {
    for (config, why) in [
        ("[alias]\nxtask = [\"run\", \"--package\", \"mine\"]\n", "alias `xtask`"),
        ("alias = 3\n", "`alias` is not a table"),
    ] {
        let repository = with_c();
        repository.write(".cargo/config.toml", config);
        let output = code(&repository.init(&["--tool", "vendor"]), 2);
        assert!(output.contains(why), "{output}");
        assert_eq!(repository.read(".cargo/config.toml"), config);
    }
}

#[test]
fn an_alias_that_cargo_ignores_is_not_written() {
    let repository = with_c();
    repository.write(".cargo/config", "[net]\nretry = 3\n");
    let output = code(&repository.init(&["--tool", "vendor"]), 2);
    assert!(output.contains("`.cargo/config`"), "{output}");
    assert!(!repository.root.join("xtask").exists());
}

#[test]
fn nothing_is_written_through_a_link() {
    for (link, target) in [(".cargo", "."), ("xtask/src/main.rs", "new.rs")] {
        let repository = Repository::new(&[("pyproject.toml", "")]);
        let outside = repository.root.with_file_name("outside");
        fs_err::create_dir(&outside).unwrap();
        let place = repository.root.join(link);
        fs_err::create_dir_all(place.parent().unwrap()).unwrap();
        fs_err::os::unix::fs::symlink(outside.join(target), &place).unwrap();
        let output = code(&repository.init(&["--tool", "vendor"]), 2);
        assert!(output.contains(link) && output.contains("link"), "{output}");
        assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
        // The same after the adoption.
        fs_err::remove_file(&place).unwrap();
        code(&repository.init(&["--tool", &format!("path={}", clone())]), 0);
        let schema = repository.root.join("xtask/wheels.schema.json");
        fs_err::remove_file(&schema).unwrap();
        fs_err::os::unix::fs::symlink(outside.join("new.json"), &schema).unwrap();
        let output = code(&repository.run(&["init", "--upgrade"]), 2);
        assert!(output.contains("wheels.schema.json"), "{output}");
        assert_eq!(fs_err::read_dir(&outside).unwrap().count(), 0);
    }
}

#[test]
fn an_upgrade_keeps_local_changes() {
    let repository = with_c();
    code(&repository.init(&["--tool", &format!("path={}", clone())]), 0);
    let (main, schema) = ("xtask/src/main.rs", "xtask/wheels.schema.json");
    let workflow = ".github/workflows/wheels-docker.yml";
    let pair = |path: &str, state: &str| (path.to_owned(), state.to_owned());
    // A local change of a file that the tool did not change.
    repository.write(main, "fn main() { mine() }\n");
    assert_eq!(repository.states(&["--check"], 0), [pair(main, "yours")]);
    // An older version wrote another schema and another workflow. The workflow also changed here.
    let record = repository.read("xtask/init.json");
    let hash = |text: &str| wheel_audit::digest::of_bytes(text.as_bytes());
    let older = record
        .replace(&hash(&repository.read(schema)), &hash("older\n"))
        .replace(&hash(&repository.read(workflow)), &hash("older\n"));
    repository.write("xtask/init.json", &older);
    repository.write(schema, "older\n");
    let mine = repository.read(workflow) + "# mine\n";
    repository.write(workflow, &mine);
    let want = [pair(workflow, "conflict"), pair(main, "yours"), pair(schema, "stale")];
    assert_eq!(repository.states(&["--check"], 1), want);
    assert_eq!(repository.read(schema), "older\n", "a check writes nothing");
    assert_eq!(repository.states(&["--upgrade"], 1), want);
    assert_ne!(repository.read(schema), "older\n");
    assert_eq!(repository.read(workflow), mine);
    assert!(!repository.read(&format!("{workflow}.new")).contains("# mine"));
    assert_eq!(repository.read(main), "fn main() { mine() }\n");
    // After the conflict is resolved, nothing remains.
    fs_err::rename(repository.root.join(format!("{workflow}.new")), repository.root.join(workflow))
        .unwrap();
    assert_eq!(repository.states(&["--upgrade"], 0), [pair(main, "yours")]);
}

#[test]
fn a_package_in_a_folder_is_found_or_chosen() {
    const PYPROJECT: &str =
        "[build-system]\nrequires = [\"setuptools\"]\n[project]\nname = \"a\"\n";
    let tool = format!("path={}", clone());
    let one = Repository::new(&[
        ("pyproject.toml.in", ""),
        ("python/pyproject.toml", PYPROJECT),
        ("python/examples/pyproject.toml", PYPROJECT),
        ("core/x.c", ""),
    ]);
    code(&one.init(&["--tool", &tool]), 0);
    let wheels: toml::Table = one.read("wheels.toml").parse().unwrap();
    assert_eq!(wheels["source"]["package"].as_str(), Some("python"));
    let two = Repository::new(&[("a/pyproject.toml", PYPROJECT), ("b/setup.py", "")]);
    code(&two.init(&["--tool", &tool]), 2);
    code(&two.init(&["--tool", &tool, "--package", "../a"]), 2);
    code(&two.init(&["--tool", &tool, "--package", "b"]), 0);
    let wheels: toml::Table = two.read("wheels.toml").parse().unwrap();
    assert_eq!(wheels["source"]["package"].as_str(), Some("b"));
}

#[test]
fn the_workflow_compiles_the_tool_from_its_lock_file() {
    for tool in [format!("path={}", clone()), "vendor".to_owned()] {
        let repository = with_c();
        code(&repository.init(&["--tool", &tool]), 0);
        let workflow = repository.read(".github/workflows/wheels-docker.yml");
        let build = "cargo build --locked --release --manifest-path xtask/Cargo.toml --target-dir target/tool\n";
        assert_eq!(workflow.matches(build).count(), 1, "{workflow}");
        assert!(workflow.contains("hashFiles('.cargo/**', 'xtask/**')"), "{workflow}");
        // Like any command that the user runs before the first commit.
        repository.packages("xtask/Cargo.toml", true);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--locked", "--offline", "--manifest-path", "xtask/Cargo.toml"]);
        code(&cargo.current_dir(&repository.root).output().unwrap(), 0);
        // No variable of cargo contains the repository's path.
        let program = repository.root.join("target/tool/xtask");
        fs_err::create_dir_all(program.parent().unwrap()).unwrap();
        fs_err::copy(env!("CARGO_BIN_EXE_wheel-build"), &program).unwrap();
        for args in [&["matrix", "--github"][..], &["workflow", "check"], &["init", "--check"]] {
            let mut command = Command::new("target/tool/xtask");
            command.args(args).current_dir(&repository.root).env_remove("CARGO_MANIFEST_DIR");
            code(&command.output().unwrap(), 0);
        }
    }
    let member = with_c();
    member.write("Cargo.toml", "[workspace]\nmembers = []\n");
    code(&member.init(&["--tool", &format!("path={}", clone()), "--member"]), 0);
    let workflow = member.read(".github/workflows/wheels-docker.yml");
    assert!(workflow.contains("cargo build --release --manifest-path "), "{workflow}");
    assert!(workflow.contains("'Cargo.lock'"), "{workflow}");
}
