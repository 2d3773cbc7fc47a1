#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use camino::Utf8Path;

use std::collections::BTreeSet;

use super::*;
use crate::config::{self, Config};
use wheel_audit::UserError;

const CONFIG: &str = r#"
[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"
[build]
pythons = ["cp311", "cp314t"]
[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64", "linux/arm64"]
[[target]]
name = "rocky9"
image = "rockylinux:9"
family = "dnf"
glibc = "2.34"
platforms = ["linux/amd64"]
"#;

fn config() -> Config {
    config::parse_text(Utf8Path::new("wheels.toml"), CONFIG).unwrap()
}

fn request(words: &[&str], pythons: &[&str]) -> Result<Request, UserError> {
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let native = "linux/amd64".parse().unwrap();
    parse_words(&config(), &own(words), false, &own(pythons), &native)
}

fn titles(words: &[&str], pythons: &[&str]) -> Vec<String> {
    let plan = plan(&config(), &request(words, pythons).unwrap(), &Inputs::default());
    plan.jobs.iter().map(Job::title).collect()
}

#[test]
fn all_with_a_target_is_rejected() {
    let parse = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        parse_words(&config(), &words, true, &[], &"linux/amd64".parse().unwrap())
    };
    let error = parse(&["linux/amd64", "debian:12"]).unwrap_err();
    assert!(error.message.contains("`debian:12`") && error.hint.is_some(), "{error}");
    assert!(parse(&["linux/amd64"]).is_ok() && parse(&[]).is_ok());
}

#[test]
fn a_target_and_a_platform_have_a_job_for_each_interpreter() {
    assert_eq!(
        titles(&["debian:12", "linux/amd64"], &[]),
        ["debian12-amd64 cp311", "debian12-amd64 cp314t"]
    );
    assert_eq!(titles(&["debian12", "linux/arm64"], &["cp311"]), ["debian12-arm64 cp311"]);
    assert_eq!(
        titles(&["debian:12", "rockylinux:9"], &["cp311,cp311"]),
        ["debian12-amd64 cp311", "debian12-arm64 cp311", "rocky9-amd64 cp311"]
    );
}

#[test]
fn a_target_may_have_its_own_interpreters() {
    let text = CONFIG.replace("name = \"rocky9\"", "name = \"rocky9\"\npythons = [\"pp311\"]");
    let config = config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap();
    let native = "linux/amd64".parse().unwrap();
    let titles = |pythons: &[String]| {
        let words = ["debian:12", "rocky:9", "linux/amd64"].map(str::to_owned);
        let request = parse_words(&config, &words, false, pythons, &native).unwrap();
        plan(&config, &request, &Inputs::default()).jobs.iter().map(Job::title).collect::<Vec<_>>()
    };
    assert_eq!(
        titles(&[]),
        ["debian12-amd64 cp311", "debian12-amd64 cp314t", "rocky9-amd64 pp311"]
    );
    // Selected interpreters apply to every target.
    assert_eq!(titles(&["cp311".to_owned()]), ["debian12-amd64 cp311", "rocky9-amd64 cp311"]);
    let none = text.replace("[\"pp311\"]", "[]");
    let error = config::parse_text(Utf8Path::new("wheels.toml"), &none).unwrap_err().to_string();
    assert!(error.contains("`rocky9`") && error.contains("`pythons`"), "{error}");
}

#[test]
fn words_are_accepted_in_any_order_and_repeatedly() {
    assert_eq!(
        titles(&["linux/arm64", "debian:12", "linux/amd64", "debian12", "linux/arm64"], &["cp311"]),
        ["debian12-arm64 cp311", "debian12-amd64 cp311"]
    );
    assert_eq!(
        titles(&["rockylinux:9", "debian:12", "rocky9"], &["cp311", "cp311"]),
        ["rocky9-amd64 cp311", "debian12-amd64 cp311", "debian12-arm64 cp311"]
    );
}

#[test]
fn an_unlisted_image_is_built_for_the_native_platform() {
    assert_eq!(titles(&["fedora:43"], &["cp314t"]), ["fedora43-amd64 cp314t"]);
}

#[test]
fn invalid_words_are_reported_with_a_hint() {
    let message = |words: &[&str], pythons: &[&str]| {
        UserError::explain(&request(words, pythons).unwrap_err())
    };
    insta::assert_snapshot!(message(&["debain12"], &[]), @r"
    `debain12` is neither a target of wheels.toml (debian:12, rockylinux:9) nor an image reference

    hint: did you mean `debian:12`?
    ");
    for (word, meant) in [
        ("amd64", "did you mean `linux/amd64`?"),
        ("aarch64", "did you mean `linux/arm64`?"),
        ("everything", "an image like `debian:12` and a platform like `linux/amd64`"),
    ] {
        assert!(message(&["debian:12", word], &[]).ends_with(meant), "{word}");
    }
    let platform = message(&["debian:12", "linux/amd46"], &[]);
    assert!(
        platform.starts_with("`linux/amd46`") && platform.contains("linux/s390x"),
        "{platform}"
    );
    assert!(platform.ends_with("\n\nhint: did you mean `linux/amd64`?"), "{platform}");
    for (word, meant) in [("python3.11", "cp311"), ("3.11", "cp311"), ("pypy311", "pp311")] {
        let python = message(&["debian:12"], &[word]);
        assert!(python.ends_with(&format!("\n\nhint: did you mean `{meant}`?")), "{python}");
    }
    insta::assert_snapshot!(message(&["linux/amd64"], &[]), @r"
    no target was selected (wheels.toml has debian:12, rockylinux:9)

    hint: name a target and a platform, for example `debian:12 linux/amd64`
    ");
    assert!(message(&["debian:12"], &["python3.11"]).contains("`cp311`"));
    assert!(message(&["debian:12"], &["3.13"]).contains("`cp313`?"));
    for absent in ["cp399", "cp35", "cp27"] {
        let text = message(&["debian:12"], &[absent]);
        assert!(text.starts_with(&format!("`{absent}`")) && text.contains("exist"), "{text}");
    }
    let image = message(&["debain:12"], &[]);
    assert!(image.starts_with("`debain:12`") && image.contains("`debian:12`"), "{image}");
    assert!(image.ends_with("`docker.io/library/debain:12`"), "{image}");
    assert!(message(&["rockylinx:9"], &[]).contains("`rockylinux:9`"));
    for own in
        ["debian:14", "docker.io/library/debain:12", "fedora:43", "registry.example/debian:12"]
    {
        assert!(request(&[own], &[]).is_ok(), "{own}");
    }
}

#[test]
fn keys_depend_exactly_on_the_inputs_of_a_job() {
    let key = |change: &dyn Fn(&mut Config, &mut Inputs)| {
        let (mut config, mut inputs) = (config(), Inputs::default());
        change(&mut config, &mut inputs);
        let request = request(&["debian:12", "linux/amd64"], &["cp311"]).unwrap();
        let job = plan(&config, &request, &inputs).jobs.remove(0);
        (job.build_key, job.key)
    };
    let (build, whole) = key(&|_, _| {});
    assert_eq!(key(&|_, _| {}), (build.clone(), whole.clone()), "the same input, the same key");
    let native = |wanted| key(&|config, _| config.check.native = Some(wanted));
    let ((b, with), (c, without)) = (native(true), native(false));
    assert!(b == build && c == build, "another check does not build again");
    assert!(with != whole && without != whole && with != without, "unset is a separate value");
    let (b, w) = key(&|config, _| config.check.publish = true);
    assert!(b == build && w != whole, "rules of an index change the job key");
    let overridden = |severity: &str, reason: &str| {
        let over = format!(
            "[[check.override]]\ncode = \"ELF\"\nseverity = \"{severity}\"\nreason = \"{reason}\"\n{CONFIG}"
        );
        let other = config::parse_text(Utf8Path::new("wheels.toml"), &over).unwrap();
        key(&|config, _| config.check.overrides.clone_from(&other.check.overrides))
    };
    let (b, w) = overridden("note", "one");
    assert!(b == build && w != whole, "other severities change the job key");
    assert_ne!(w, overridden("error", "one").1);
    assert_eq!(w, overridden("note", "two").1, "a reason is not part of the key");
    let like = |like: &str, published: Option<&str>| {
        let like: config::Like = like.to_owned().try_into().unwrap();
        key(&|config, inputs| {
            config.check.like = Some(like.clone());
            inputs.published = published.map(str::to_owned);
        })
    };
    let found = [like("index", None), like("old", Some("1")), like("old", Some("2"))];
    assert!(found.iter().all(|(b, w)| *b == build && *w != whole), "compared, and not built again");
    assert!(found[0].1 != found[1].1 && found[1].1 != found[2].1, "with other wheels");
    let (b, w) = key(&|config, _| config.check.commands = vec!["demo --version".to_owned()]);
    assert!(b == build && w != whole, "another command changes the job key");
    let (b, w) = key(&|_, inputs| inputs.rules = "x");
    assert!(b == build && w != whole, "other rules audit again and build nothing");
    let isa = |arch: &str| {
        let level = if arch == "amd64" { "x86-64-v3" } else { "armv8.2-a" };
        key(&|config, _| {
            config.check.isa.insert(arch.to_owned(), level.parse().unwrap());
        })
    };
    assert!(
        isa("amd64").0 == build && isa("amd64").1 != whole,
        "another processor changes the job key"
    );
    assert_eq!(isa("arm64"), (build.clone(), whole.clone()), "another architecture's processors");
    let (b, w) = key(&|_, inputs| inputs.build_files_hash = "x".to_owned());
    assert!(b != build && w != whole, "another script builds again");
    let (b, _) = key(&|config, _| {
        config.build.env.0.insert("A".to_owned(), "1".to_owned());
    });
    assert_ne!(b, build, "another environment builds again");
}

#[test]
fn defect_03_and_12_each_job_has_its_own_scope_and_folder() {
    let plan =
        plan(&config(), &request(&["debian:12", "rockylinux:9"], &[]).unwrap(), &Inputs::default());
    let slugs: BTreeSet<_> = plan.jobs.iter().map(Job::slug).collect();
    let keys: BTreeSet<_> = plan.jobs.iter().map(|job| &job.key).collect();
    assert_eq!((slugs.len(), keys.len()), (plan.jobs.len(), plan.jobs.len()));
}

#[test]
fn the_matrix_has_a_machine_for_each_target_and_platform() {
    let all = |ci: &str, words: &[&str]| {
        let text = format!("{CONFIG}\n[ci]\n{ci}");
        let config = config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap();
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let native = "linux/amd64".parse().unwrap();
        let request = parse_words(&config, &words, words.is_empty(), &[], &native).unwrap();
        let line = |each: &MatrixEntry| format!("{} {} {}", each.name, each.runner, each.emulated);
        matrix(&config, &request).map(|all| all.iter().map(line).collect::<Vec<_>>())
    };
    let native = [
        "debian12-amd64 ubuntu-24.04 false",
        "debian12-arm64 ubuntu-24.04-arm false",
        "rocky9-amd64 ubuntu-24.04 false",
    ];
    assert_eq!(all("", &[]).unwrap(), native);
    let emulated = all("emulate = [\"linux/arm64\"]", &["debian:12", "linux/arm64"]);
    assert_eq!(emulated.unwrap(), ["debian12-arm64 ubuntu-24.04 true"]);
    let own = all("runners = { \"linux/amd64\" = \"big\" }", &["rocky9"]);
    assert_eq!(own.unwrap(), ["rocky9-amd64 big false"]);
    let error = UserError::explain(&all("", &["debian:12", "linux/s390x"]).unwrap_err());
    assert!(error.contains("linux/s390x") && error.contains("emulate"), "{error}");
}

#[test]
fn identifiers_select_jobs() {
    let jobs = |only: &[&str], skip: &[&str]| {
        let mut request = request(&["debian:12", "rockylinux:9"], &[]).unwrap();
        let select = |words: &[&str]| {
            (!words.is_empty()).then(|| config::Select::parse(words.iter().copied()).unwrap())
        };
        (request.only, request.skip) = (select(only), select(skip));
        let interpreters = request.interpreters();
        let plan = plan(&config(), &request, &Inputs::default());
        let used: BTreeSet<_> = plan.jobs.iter().map(|job| job.interpreter).collect();
        assert_eq!(interpreters, used, "{only:?} {skip:?}");
        plan.jobs.iter().map(Job::identifier).collect::<Vec<_>>()
    };
    assert_eq!(jobs(&[], &[]).len(), 6);
    assert_eq!(jobs(&["cp311-debian12_aarch64"], &[]), ["cp311-debian12_aarch64"]);
    assert_eq!(
        jobs(&["cp311-*", "*-rocky9_*"], &["*_aarch64"]),
        ["cp311-debian12_x86_64", "cp311-rocky9_x86_64", "cp314t-rocky9_x86_64"]
    );
    assert!(jobs(&["cp312-*"], &[]).is_empty());
}

#[test]
fn settings_of_one_job_change_only_its_keys() {
    let keys = |tables: &str| {
        let config = config::parse_text(Utf8Path::new("wheels.toml"), &format!("{CONFIG}{tables}"));
        let request = request(&["debian:12", "linux/amd64"], &[]).unwrap();
        let plan = plan(&config.unwrap(), &request, &Inputs::default());
        plan.jobs.into_iter().map(|job| (job.build_key, job.key)).collect::<Vec<_>>()
    };
    let before = keys("");
    let changed = |setting: &str| {
        let after = keys(&format!("[[override]]\nselect = \"cp314t-*\"\n{setting}\n"));
        assert_eq!(after[0], before[0], "{setting} is not for cp311");
        (after[1].0 != before[1].0, after[1].1 != before[1].1)
    };
    for setting in [
        "build.before = \"true\"",
        "build.before-build = \"true\"",
        "build.config-settings = { a = \"1\" }",
        "build.build-frontend = \"build\"",
        "build.system_packages = { apt = [\"cmake\"] }",
        "build.env = { A = \"1\" }",
        "toolchain.rust = \"distro\"",
    ] {
        assert_eq!(changed(setting), (true, true), "{setting} builds again");
    }
    for setting in ["repair.mode = \"off\"", "repair.strip = true", "test.command = \"true\""] {
        assert_eq!(changed(setting), (false, true), "{setting} builds nothing again");
    }
}

#[test]
fn pypy_and_graalpy_are_rejected_for_musl_unless_the_image_may_have_them() {
    let check = |target: &str, python: &str, skip: Option<&str>| {
        let text = format!(
            "{CONFIG}\n[[target]]\nname = \"t\"\nplatforms = [\"linux/amd64\"]\n{target}\n"
        );
        let config = config::parse_text(Utf8Path::new("wheels.toml"), &text).unwrap();
        let native = "linux/amd64".parse().unwrap();
        let words = ["t".to_owned()];
        let pythons = ["cp311".to_owned(), python.to_owned()];
        let mut request = parse_words(&config, &words, false, &pythons, &native).unwrap();
        request.skip = skip.map(|it| config::Select::parse([it]).unwrap());
        check_obtainable(&config, &request).map_err(|error| UserError::explain(&error))
    };
    let alpine = "image = \"alpine:3.22\"\nmusl = \"1.2\"";
    let mirrored = "image = \"mirror.example:5000/alpine:3.22\"\nmusl = \"1.2\"";
    for python in ["pp311", "gp312"] {
        let error = check(alpine, python, None).unwrap_err();
        assert!(error.contains(python) && error.contains("`t`"), "{error}");
        assert!(
            check("image = \"quay.io/pypa/musllinux_1_2:latest\"\nfamily = \"apk\"", python, None)
                .is_err()
        );
        assert!(check(mirrored, python, None).is_err());
        assert_eq!(check(alpine, python, Some("[pg]p3*")), Ok(()));
        assert_eq!(check("image = \"team/pypy-on-alpine\"\nmusl = \"1.2\"", python, None), Ok(()));
        assert_eq!(check("image = \"debian:13\"\nglibc = \"2.41\"", python, None), Ok(()));
    }
    assert_eq!(check(alpine, "cp313t", None), Ok(()));
}
