//! Runs `scripts/smoke.py` in this machine's Python with generated wheels and a fake GIL.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The interpreter's GIL.
#[derive(Clone, Copy)]
enum Interpreter {
    /// It has a GIL.
    Usual,
    /// It is free-threaded.
    Free,
    /// It is free-threaded, and runs with `PYTHON_GIL=1`.
    FreeWithGil,
}

use Interpreter::{Free, FreeWithGil, Usual};

/// Runs the smoke test of a package with the modules `quiet` and `loud`; `loud` enables the GIL if it is off when the
/// test begins.
fn smoke(interpreter: Interpreter, imports: &str, calls: &str) -> (Option<i32>, Value) {
    let variables = [("SMOKE_IMPORTS", imports), ("SMOKE_CALLS", calls)];
    smoke_with(interpreter, &variables, "", "")
}

/// A module with a thread that does not end with the interpreter.
const WAITS: &str = "import threading, time\n\
    threading.Thread(target=lambda: time.sleep(60)).start()\n\
    def main(): pass\n";

/// Runs the code in the first argument with the GIL of `FAKE_GIL` and `FAKE_FREE`.
const FAKED: &str = "import os, sys, sysconfig\n\
    code, *sys.argv[1:] = sys.argv[1:]\n\
    sys.path.insert(0, os.environ['FAKE_SITE'])\n\
    sys.faked_gil = os.environ['FAKE_GIL'] == 'on'\n\
    sys._is_gil_enabled = lambda: sys.faked_gil\n\
    free, real = os.environ['FAKE_FREE'] == 'free', sysconfig.get_config_var\n\
    sysconfig.get_config_var = lambda name: free if name == 'Py_GIL_DISABLED' else real(name)\n\
    exec(compile(code, 'code', 'exec'), {'__name__': '__main__'})";

/// A module that writes the report itself, and exits with status 0.
const FORGES: &str = "import os\n\
    with open(os.environ['FORGED'], 'w') as file:\n    \
        file.write('{\"schema_version\": 2, \"unprivileged\": true, \"checks\": []}')\n\
    os._exit(0)\n";

/// A module that writes good answers to every stream.
const ANSWERS: &str = "import os\n\
    for each in range(1, 50):\n    \
        try:\n        os.write(each, b'{\"token\": \"0\", \"ok\": true, \"detail\": \"\", \"gil\": true}\\n')\n    \
        except OSError:\n        pass\n";

/// Like [`smoke`], with these lines in `METADATA` and this `entry_points.txt`.
fn smoke_with(
    interpreter: Interpreter,
    variables: &[(&str, &str)],
    metadata: &str,
    entry_points: &str,
) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let venv = folder.path().join("venv");
    let site = venv.join("lib/python3/site-packages");
    let info = site.join("demo-1.0.dist-info");
    fs_err::create_dir_all(&info).unwrap();
    let loud = "import sys, warnings\n\
        if not sys._is_gil_enabled():\n    \
            sys.faked_gil = True\n    \
            warnings.warn(\"The global interpreter lock (GIL) has been enabled to load module '_core'\", RuntimeWarning)\n";
    let quiet = "class Tool:\n    def main(self): pass\ntool = Tool()\n";
    let needy = "try:\n    import gone.cli\nexcept ImportError:\n    raise SystemExit('install demo[cli]')\n";
    for (name, text) in [
        ("quiet.py", quiet),
        ("loud.py", loud),
        ("needy.py", needy),
        ("broken.py", "import quiet.part\n"),
        ("silent.py", "import os\nos.close(1)\nos.close(2)\ndef main(): pass\n"),
        ("quits.py", "import os\nos._exit(0)\n"),
        ("waits.py", WAITS),
        ("forges.py", FORGES),
        ("answers.py", ANSWERS),
        ("crashes.py", "import atexit, os\natexit.register(os.abort)\n"),
    ] {
        fs_err::write(site.join(name), text).unwrap();
    }
    let head = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
    // `gone` is the namespace of another project, which this one extends.
    let record = "quits.py,,\nforges.py,,\nanswers.py,,\ncrashes.py,,\nquiet.py,,\nloud.py,,\ngone/plugins/demo.py,,\nneedy.py,,\nbroken.py,,\ndemo-1.0.dist-info/METADATA,,\n";
    fs_err::write(info.join("METADATA"), format!("{head}{metadata}")).unwrap();
    fs_err::write(info.join("RECORD"), record).unwrap();
    fs_err::write(info.join("entry_points.txt"), entry_points).unwrap();
    fs_err::create_dir_all(venv.join("bin")).unwrap();
    let python = venv.join("bin/python");
    // Called as `python -B -I -c CODE ARGUMENT...`.
    fs_err::write(&python, "#!/bin/sh\nshift 3\nexec python3 -B -I -c \"$FAKED\" \"$@\"\n")
        .unwrap();
    fs_err::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/smoke.py");
    let main = format!("import runpy; runpy.run_path('{script}', run_name='__main__')");
    let (free, gil) = match interpreter {
        Usual => ("usual", "on"),
        Free => ("free", "off"),
        FreeWithGil => ("free", "on"),
    };
    // Output that is written to a file stops here.
    let ran = Command::new("sh")
        .args(["-c", "ulimit -f 2000; exec \"$@\"", "sh"])
        .args(["python3", "-B", "-I", "-S", "-c", FAKED, &main])
        .args(["/w/demo-1.0-cp314-cp314t-linux_x86_64.whl"])
        .args([&venv, folder.path()])
        .envs(variables.iter().copied().chain([("PIP_VERSION", "1"), ("FAKED", FAKED)]))
        .envs([("FAKE_FREE", free), ("FAKE_GIL", gil)])
        .env("FAKE_SITE", &site)
        .env("FORGED", folder.path().join("smoke.json"))
        .output()
        .unwrap();
    let report = fs_err::read(folder.path().join("smoke.json"));
    assert!(report.is_ok(), "{}", String::from_utf8_lossy(&ran.stderr));
    let report = report.unwrap();
    (ran.status.code(), serde_json::from_slice(&report).unwrap())
}

/// The check before any import.
const GIL: &str = "off before any import";

/// Subject and outcome of each check.
fn outcomes(report: &Value) -> Vec<(&str, bool)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|it| (it["subject"].as_str().unwrap(), it["ok"].as_bool().unwrap())).collect()
}

#[test]
fn an_import_that_switches_the_gil_on_fails_and_is_named() {
    let (code, report) = smoke(Free, "quiet loud", "{}");
    assert_eq!(code, Some(1));
    assert_eq!(outcomes(&report), [(GIL, true), ("quiet", true), ("loud", false)]);
    assert_eq!(report["gil"], true);
    let detail = report["checks"][2]["detail"].as_str().unwrap();
    assert!(detail.contains("'_core'") && detail.contains("Py_mod_gil"), "{detail}");
}

#[test]
fn a_call_that_switches_the_gil_on_fails() {
    let calls = r#"{"quiet": ["import_module('loud') is not None"]}"#;
    let (code, report) = smoke(Free, "", calls);
    assert_eq!(code, Some(1));
    assert_eq!(
        outcomes(&report),
        [(GIL, true), ("quiet", true), ("import_module('loud') is not None", false)]
    );
}

#[test]
fn a_gil_that_is_on_before_any_import_fails_no_module() {
    let (code, report) = smoke(FreeWithGil, "quiet loud", "{}");
    assert_eq!(code, Some(1));
    assert_eq!(outcomes(&report), [(GIL, false), ("quiet", true), ("loud", true)]);
    // This is no error in an interpreter with a GIL.
    let (code, report) = smoke(Usual, "quiet loud", "{}");
    assert_eq!(code, Some(0));
    assert_eq!(outcomes(&report), [("quiet", true), ("loud", true)]);
}

#[test]
fn imports_that_keep_the_gil_off_pass() {
    let (code, report) = smoke(Free, "quiet", r#"{"quiet": ["True"]}"#);
    assert_eq!((code, &report["gil"]), (Some(0), &Value::Bool(false)));
    // An interpreter with a GIL always has it on.
    let (code, report) = smoke(Usual, "quiet loud", "{}");
    assert_eq!((code, &report["gil"]), (Some(0), &Value::Bool(true)));
}

/// The outcome of each check: `ok`, `skipped` or `failed`, with its detail.
fn states(report: &Value) -> Vec<(&str, &str, &str)> {
    let state = |check: &Value| match (check["ok"].as_bool(), check["skipped"].as_bool()) {
        (Some(true), Some(true)) => "skipped",
        (Some(true), _) => "ok",
        _ => "failed",
    };
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .map(|it| (it["kind"].as_str().unwrap(), state(it), it["detail"].as_str().unwrap()))
        .collect()
}

#[test]
fn each_script_must_refer_to_a_callable_object() {
    let points = |points: &str| smoke_with(Usual, &[], "", points);
    let (code, report) = points("[console_scripts]\na = quiet:tool.main\n[other]\nb = gone:x\n");
    assert_eq!((code, states(&report)), (Some(0), vec![("entry-point", "ok", "")]));
    let (code, report) =
        points("[gui_scripts]\na = quiet:tool.start\nb = gone:main\nc = quiet:tool\n");
    assert_eq!(code, Some(1));
    let states = states(&report);
    assert!(states.iter().all(|each| each.1 == "failed"), "{states:?}");
    assert!(states[0].2.contains("start") && states[1].2.contains("gone"), "{states:?}");
    assert_eq!(states.len(), 3, "an object that cannot be called is none of a script");
}

#[test]
fn the_module_of_a_script_affects_only_its_own_process() {
    let points =
        "[console_scripts]\na = silent:main\nb = quits:main\nc = waits:main\nd = quiet:Tool\n";
    let start = Instant::now();
    let (code, report) = smoke_with(Usual, &[], "", points);
    assert_eq!(code, Some(1));
    let states: Vec<_> = states(&report).into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, ["ok", "failed", "ok", "ok"]);
    assert!(start.elapsed() < Duration::from_secs(50), "nothing waits for the thread");
}

#[test]
fn a_check_that_did_not_run_fails() {
    // Each of them would pass if smoke.py trusted its process or its output.
    for module in ["quits", "forges", "answers"] {
        let (code, report) = smoke(Usual, &format!("{module} quiet"), "{}");
        let expected = [(module, false), ("quiet", true)];
        assert_eq!((code, outcomes(&report)), (Some(1), expected.to_vec()), "{module}");
    }
    let points = "[console_scripts]\na = forges:main\nb = answers:main\nc = quiet:Tool\n";
    let (code, report) = smoke_with(Usual, &[], "", points);
    let states: Vec<_> = states(&report).into_iter().map(|(_, state, _)| state).collect();
    assert_eq!((code, states), (Some(1), vec!["failed", "failed", "ok"]));
}

#[test]
fn a_process_that_crashes_at_its_end_fails() {
    let (code, report) = smoke(Usual, "crashes", "{}");
    let expected = vec![("crashes", true), ("the end of the process", false)];
    assert_eq!((code, outcomes(&report)), (Some(1), expected));
}

#[test]
fn a_script_that_needs_an_extra_is_skipped() {
    let outcome = |metadata: &str, point: &str| {
        let points = format!("[console_scripts]\na = {point}\n");
        let (code, report) = smoke_with(Usual, &[], metadata, &points);
        let (kind, state, _) = states(&report)[0];
        assert_eq!((kind, code == Some(0)), ("entry-point", state != "failed"));
        state.to_owned()
    };
    let extra = "Provides-Extra: cli\n";
    assert_eq!(outcome(extra, "needy:main [cli]"), "skipped");
    assert_eq!(outcome(extra, "needy:main"), "skipped", "`gone` is not installed");
    assert_eq!(outcome("", "needy:main"), "failed", "no extra can provide it");
    assert_eq!(outcome(extra, "broken:main"), "failed", "its own module is missing");
    assert_eq!(outcome(extra, "quiet:main"), "failed");
}

#[test]
fn commands_run_without_a_shell_in_an_empty_folder() {
    let run = |commands: &str| smoke_with(Usual, &[("SMOKE_COMMANDS", commands)], "", "");
    let (code, report) =
        run(r#"["python3 -c 'import os; print(len(os.listdir()))'", "echo $HOME"]"#);
    let expected = vec![("command", "ok", "0"), ("command", "ok", "$HOME")];
    assert_eq!((code, states(&report)), (Some(0), expected));
    let (code, report) = run(r#"["sh -c 'yes | head -c 9000000; echo end'"]"#);
    assert_eq!((code, states(&report)), (Some(0), vec![("command", "ok", "end")]));
    let (code, report) = run(r#"["sh -c 'echo broken; exit 3'", "no-such-program", "echo 'x"]"#);
    assert_eq!(code, Some(1));
    let states = states(&report);
    assert!(states.iter().all(|each| each.1 == "failed"), "{states:?}");
    assert!(states[0].2.contains('3') && states[0].2.contains("broken"), "{states:?}");
    assert!(states[1].2.contains("no-such-program"), "{states:?}");
}

/// The result of `grafted_library` for a wheel whose module needs `needed`: whether the library of the wheel is
/// loaded, or the error.
fn grafted(needed: &str, grafted: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    for name in ["demo.libs", "system"] {
        fs_err::create_dir(root.join(name)).unwrap();
    }
    fs_err::write(root.join("code.c"), "int answer(void) { return 42; }\n").unwrap();
    let link = |args: &[&str]| {
        let head = ["-shared", "-nostdlib", "-Wl,--no-as-needed", "code.c"];
        let status = Command::new("cc").args(head).args(args).current_dir(&root).status();
        assert!(status.unwrap().success());
    };
    link(&["-o", "system/libdemo.so.1", "-Wl,-soname,libdemo.so.1"]);
    link(&["-o", "demo.libs/libdemo-1b7c5d3a.so.1", "-Wl,-soname,libdemo-1b7c5d3a.so.1"]);
    link(&["-o", "_demo.so", needed, "-Wl,-rpath,$ORIGIN/demo.libs:$ORIGIN/system"]);
    let program = "import ctypes, json, os, runpy, sys\n\
        script, root, grafted = sys.argv[1:]\n\
        names = runpy.run_path(script)\n\
        ctypes.CDLL(root + '/_demo.so')\n\
        files = {root + '/_demo.so', root + '/' + grafted}\n\
        try:\n    state, _ = names['grafted_library']('libdemo.so.1', grafted, files)\n    print(json.dumps(state['mapped']))\n\
        except ImportError as error:\n    print(json.dumps(str(error)))\n";
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../scripts/smoke-worker.py");
    let ran =
        Command::new("python3").args(["-c", program, script]).arg(&root).arg(grafted).output();
    let ran = ran.unwrap();
    serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|_| Value::from(String::from_utf8(ran.stderr).unwrap()))
}

#[test]
fn the_grafted_library_is_loaded() {
    let own = "demo.libs/libdemo-1b7c5d3a.so.1";
    assert_eq!(grafted(own, own), true);
    let error = grafted("system/libdemo.so.1", own);
    assert!(error.as_str().is_some_and(|text| text.contains("needs libdemo.so.1")), "{error}");
    let error = grafted(own, "demo.libs/libother-00000000.so.1");
    assert_eq!(error, false, "it is installed, and nothing needs it");
}
