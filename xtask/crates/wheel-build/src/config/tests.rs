#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use wheel_audit::UserError;

use camino::{Utf8Path, Utf8PathBuf};

use wheel_audit::policy::{Arch, Libc, LibcVersion};

use super::error::{ConfigError, Invalid};
use super::load::parse;
use super::place::Place;
use super::target::name_of_image;
use super::*;

const GOOD: &str = r#"[source]
sdist = "demo==1.0"
sha256 = "6c69fca89106567060941c5568e67a5369738813d883db4e3d62b76f0a2c497e"

[build]
pythons = ["cp311"]

[[target]]
name = "debian12"
image = "debian:12"
family = "apt"
glibc = "2.36"
platforms = ["linux/amd64"]
"#;

fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    UserError::explain(&parse(Utf8Path::new("wheels.toml"), &GOOD.replace(from, to)).unwrap_err())
}

/// The structured error for `text`.
fn invalid(text: &str) -> Invalid {
    let ConfigError::Invalid(invalid) = parse(Utf8Path::new("wheels.toml"), text).unwrap_err()
    else {
        unreachable!("a text has no read error")
    };
    *invalid
}

#[test]
fn a_repeated_table_has_a_hint() {
    let found = invalid(&format!("{GOOD}\n[build]\nnetwork = true\n"));
    assert!(found.error.hint.is_some());
}

#[test]
fn each_error_has_its_place_its_key_and_the_nearest_valid_word() {
    let good = format!(
        "{GOOD}\n[check]\ntag = \"target\"\nisa = {{ amd64 = \"x86-64-v2\" }}\n\
         imports = [\"demo._speed\"]\ncalls = {{ \"demo._speed\" = [\"m.f()\"] }}\n\n[ci]\n\
         targets = [\"debian12\"]\nrunners = {{ \"linux/arm64\" = \"arm\" }}\n\n\
         [[check.override]]\ncode = \"ELF009\"\nseverity = \"note\"\nreason = \"known\"\n"
    );
    assert!(parse(Utf8Path::new("wheels.toml"), &good).is_ok());
    let mut wrong = Vec::new();
    // From, to, line, column, key, suggestion.
    for (from, to, line, column, key, suggestion) in [
        ("pythons =", "phytons =", 6, 1, "build.phytons", Some("pythons")),
        ("[build]", "[biuld]", 5, 2, "biuld", Some("build")),
        ("family =", "familly =", 11, 1, "target.debian12.familly", Some("family")),
        ("severity =", "severty =", 27, 1, "check.override[0].severty", Some("severity")),
        ("tag = \"target\"", "tag = \"taget\"", 16, 7, "check.tag", Some("target")),
        ("\"apt\"", "\"ap\"", 11, 10, "target.debian12.family", Some("apt")),
        ("\"apt\"", "\"deb\"", 11, 10, "target.debian12.family", None),
        ("\"note\"", "\"notes\"", 27, 12, "check.override[0].severity", Some("note")),
        ("\"cp311\"", "\"cp312\", \"3.11\"", 6, 21, "build.pythons[1]", Some("cp311")),
        ("\"cp311\"", "\"python3.11\"", 6, 12, "build.pythons[0]", Some("cp311")),
        ("\"cp311\"", "\"cp3.14t\"", 6, 12, "build.pythons[0]", Some("cp314t")),
        ("linux/amd64", "linux/amd46", 13, 14, "target.debian12.platforms[0]", Some("linux/amd64")),
        (
            "\"linux/arm64\"",
            "\"linux/aarch64\"",
            23,
            13,
            "ci.runners.\"linux/aarch64\"",
            Some("linux/arm64"),
        ),
        ("[\"debian12\"]", "[\"debain12\"]", 22, 12, "ci.targets[0]", Some("debian12")),
        ("amd64 =", "amd46 =", 17, 9, "check.isa.amd46", Some("amd64")),
        ("x86-64-v2", "x86_64-v2", 17, 17, "check.isa.amd64", Some("x86-64-v2")),
        (
            "{ \"demo._speed\"",
            "{ \"demo.speed\"",
            19,
            11,
            "check.calls.\"demo.speed\"",
            Some("demo._speed"),
        ),
        ("\"2.36\"", "\"latest\"", 12, 9, "target.debian12.glibc", None),
        ("\"2.36\"", "2.36", 12, 9, "target.debian12.glibc", None),
        ("image = \"debian:12\"\n", "", 8, 1, "target.debian12.image", None),
        ("[\"cp311\"]", "[]", 6, 11, "build.pythons", None),
        ("pythons = [", "pythons = [[", 8, 1, "", None),
        ("tag =", "zebra =", 16, 1, "check.zebra", None),
        ("[ci]\n", "[ci]\ncache = \"registry\"\n", 22, 9, "ci.cache", None),
        (
            "[ci]\n",
            "[ci]\ncache-repository = \"r.example/c\"\n",
            22,
            20,
            "ci.cache-repository",
            None,
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let found = invalid(&good.replacen(from, to, 1));
        let Place { line: at, column: from_left, .. } = found.place;
        let suggestion = suggestion.map(|word: &str| format!("did you mean `{word}`?"));
        let meant = found.error.hint.clone().filter(|hint| hint.starts_with("did you mean"));
        if (at, from_left, found.key.as_str(), meant.as_ref())
            != (line, column, key, suggestion.as_ref())
        {
            wrong.push(format!(
                "{from} -> {to}: expected {line}, {column}, {key}, {suggestion:?}: {found}"
            ));
        }
        assert_eq!(found.place.file, "wheels.toml");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_moved_key_is_reported_with_its_new_place() {
    let error = invalid(&format!("{GOOD}\n[check]\nsmoke_without = {{ pp311 = [\"cffi\"] }}\n"));
    let text = UserError::explain(&error);
    assert!(text.contains("`check.smoke_without`"), "{text}");
    assert!(text.contains("hint: ") && text.contains("`[test] ignore-requirements"), "{text}");
}

#[test]
fn an_error_shows_the_line_and_a_hint() {
    insta::assert_snapshot!(UserError::explain(&invalid(&GOOD.replace("pythons", "phytons"))), @r#"
    `wheels.toml`, line 6, column 1: `build.phytons`: unknown key

    6 | phytons = ["cp311"]
      | ^^^^^^^

    hint: did you mean `pythons`?
    "#);
    insta::assert_snapshot!(UserError::explain(&invalid(&GOOD.replace("demo==1.0", "demo"))), @r#"
    `wheels.toml`, line 2, column 9: `source.sdist`: `demo` is not of the form `name==version`

    2 | sdist = "demo"
      |         ^^^^^^
    "#);
    insta::assert_snapshot!(UserError::explain(&invalid(&GOOD.replace("family", "color"))), @r#"
    `wheels.toml`, line 11, column 1: `target.debian12.color`: unknown key

    11 | color = "apt"
       | ^^^^^

    hint: valid keys: `name`, `image`, `family`, `glibc`, `musl`, `platforms`, `pythons`, `digest`, `bootstrap`, `snapshot`, `snapshot-url`
    "#);
}

#[test]
fn a_value_of_the_wrong_type_is_reported_with_an_example() {
    for (from, to, example) in [
        ("\"2.36\"", "2.36", "`glibc = \"2.36\"`"),
        ("[\"cp311\"]", "\"cp311\"", "`pythons = [\"cp311\", \"cp313\"]`"),
        ("\"debian12\"", "12", "`name = \"debian12\"`"),
        ("[build]", "[[build]]", "`[build]`"),
    ] {
        let text = error(from, to);
        assert!(
            text.lines().any(|line| line.starts_with("hint: write ") && line.contains(example)),
            "{to}: {text}"
        );
    }
    let text = error("glibc", "publish = \"yes\"\nglibc");
    assert!(!text.contains("in quotes"), "{text}");
}

#[test]
fn hints_survive_odd_keys_and_tabs() {
    let hint = |text: &str| invalid(text).error.hint;
    let keys = hint(&GOOD.replace("pythons", "\"a`b\"")).unwrap();
    assert!(keys.starts_with("valid keys: `recipe`, `pythons`"), "{keys}");
    // The mark lines up below the word, even if the line has tabs.
    let tabs = invalid(&GOOD.replace("[\"cp311\"]", "[\t\"cp311\",\t\"cq\"]"));
    let (line, mark) = tabs.place.excerpt.split_once('\n').unwrap();
    assert_eq!(mark.matches('\t').count(), 2, "{line}\n{mark}");
}

#[test]
fn the_hint_to_run_init_is_for_a_missing_file_only() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let hint = || {
        UserError::hint_of(&load(&root, &ConfigFile::default()).unwrap_err())
            .unwrap_or_default()
            .to_owned()
    };
    assert!(hint().contains("cargo xtask init"));
    fs_err::write(root.join("wheels.toml"), b"a = \"\xff\"\n").unwrap();
    assert_eq!(hint(), "save the file as UTF-8");
    fs_err::write(root.join("wheels.toml"), GOOD).unwrap();
    fs_err::create_dir(root.join("wheels.local.toml")).unwrap();
    assert_eq!(hint(), "");
}

#[test]
fn a_source_outside_the_repository_is_rejected() {
    let sdist = "sdist = \"demo==1.0\"\n";
    let hash = GOOD.lines().nth(2).unwrap();
    for path in ["../other", "/etc"] {
        let text = GOOD.replace(hash, "").replace(sdist, &format!("path = \"{path}\"\n"));
        let error = parse(Utf8Path::new("wheels.toml"), &text).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`source.path`"), "{error}");
    }
}

#[test]
fn an_sdist_without_its_hash_is_rejected() {
    let hash = GOOD.lines().nth(2).unwrap();
    assert!(error(hash, "").contains("`sha256`"));
}

#[test]
fn the_local_file_overrides_the_shared_one_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    fs_err::write(root.join("wheels.toml"), GOOD).unwrap();
    let local = "[build]\npythons = [\"cp313\"]\n\
                 [[target]]\nname = \"debian12\"\nimage = \"mirror.example/debian:12\"\n";
    fs_err::write(root.join("wheels.local.toml"), local).unwrap();
    let config = load(&root, &ConfigFile::default()).unwrap();
    assert_eq!(config.overrides, ["build.pythons", "target.debian12.image"]);
    assert_eq!(config.targets[0].image, "mirror.example/debian:12");
    assert_eq!(config.targets[0].libc, Some(Libc::Glibc(LibcVersion::new(2, 36))));
    fs_err::write(root.join("wheels.local.toml"), "[build]\npythons = []\n").unwrap();
    assert!(load(&root, &ConfigFile::default()).is_err());
}

#[test]
fn an_error_in_the_local_file_has_its_own_line() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    fs_err::write(root.join("wheels.toml"), GOOD).unwrap();
    for (local, line) in [
        ("\n[build]\n# a remark\nphytons = [\"cp313\"]\n", 4),
        ("\n\n[build]\npythons = []\n", 4),
        ("[build]\npythons = \"cp313\"\n", 2),
        ("[check]\ntag = \"linux\"\n\n[biuld]\n", 4),
        ("[check]\nnative = true\n[[target]]\nname = \"debian12\"\nglibc = \"latest\"\n", 5),
        ("[[target]]\nname = \"new\"\n", 1),
        ("[ci]\ntargets = [\"nosuch\"]\n", 2),
    ] {
        fs_err::write(root.join("wheels.local.toml"), local).unwrap();
        let error = load(&root, &ConfigFile::default()).unwrap_err();
        let place = match &error {
            ConfigError::Invalid(found) => Some((found.place.file.as_str(), found.place.line)),
            ConfigError::Read(_) => None,
        };
        assert_eq!(place, Some(("wheels.local.toml", line)), "{local}: {error}");
    }
}

#[test]
fn an_override_has_its_place_in_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let rule = "[[check.override]]\ncode = \"ELF009\"\nseverity = \"note\"\nreason = \"it is\"\n";
    let line = GOOD.lines().count() + 2;
    fs_err::write(root.join("wheels.toml"), format!("{GOOD}{rule}")).unwrap();
    let local = "\n[check]\ntag = \"linux\"\n";
    fs_err::write(root.join("wheels.local.toml"), local).unwrap();
    let place = |root: &Utf8Path| {
        load(root, &ConfigFile::default()).unwrap().check.overrides[0].place.clone()
    };
    assert_eq!(place(&root), format!("`wheels.toml`, line {line}"));
    fs_err::write(root.join("wheels.local.toml"), format!("{local}{rule}")).unwrap();
    assert_eq!(place(&root), "`wheels.local.toml`, line 5");
}

#[test]
fn test_keys_without_a_command_have_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let unused = |tables: &str, local: &str| {
        fs_err::write(root.join("wheels.toml"), format!("{tables}{GOOD}")).unwrap();
        fs_err::write(root.join("wheels.local.toml"), local).unwrap();
        load(&root, &ConfigFile::default()).unwrap().unused_test_keys
    };
    let test = "[test]\nsources = [\"tests\"]\n";
    let other = "[[override]]\nselect = \"*\"\ntest.requires = [\"pytest\"]\n\
        [override.test.env]\nA = \"1\"\n";
    assert_eq!(unused("", ""), Vec::<String>::new());
    assert_eq!(
        unused(&format!("{test}{other}"), ""),
        [
            "`wheels.toml`, line 2: `test.sources`",
            "`wheels.toml`, line 5: `override[0].test.requires`",
            "`wheels.toml`, line 6: `override[0].test.env`",
        ]
    );
    // The list of this machine replaces the shared one.
    let local = "[[override]]\nselect = \"*\"\ntest.network = true\n";
    assert_eq!(unused(other, local), ["`wheels.local.toml`, line 3: `override[0].test.network`"]);
    let with = |table: &str| format!("{test}[[override]]\nselect = \"*\"\n{table}\n");
    assert!(unused(&with("test.command = \"pytest\""), "").is_empty());
    assert_eq!(unused(&with("build.env = { A = \"1\" }"), "").len(), 1);
}

#[test]
fn names_made_of_images_are_valid_and_unique() {
    assert_eq!(name_of_image("debian:11"), "debian11");
    assert_eq!(name_of_image("ubuntu:24.04"), "ubuntu24.04");
    let (a, b) = (name_of_image("a.example/x/debian:12"), name_of_image("b.example/x/debian:12"));
    assert_ne!(a, b);
    for name in [a, b, name_of_image("Registry.example:5000/p/q@sha256:00ff")] {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        assert!(name.chars().all(plain), "{name}");
    }
}

#[test]
fn platforms_accept_the_engines_notation() {
    let platform: Platform = "linux/arm64/v8".parse().unwrap();
    assert_eq!((platform.to_string().as_str(), platform.arch()), ("linux/arm64", Arch::Aarch64));
    assert!("arm64".parse::<Platform>().is_err());
    for (slip, meant) in [
        ("linux/amd46", "`linux/amd64`?"),
        ("linux/x86_64", "`linux/amd64`?"),
        ("linux/aarch64", "`linux/arm64`?"),
        ("linux/armhf", "`linux/arm`?"),
    ] {
        let error = slip.parse::<Platform>().unwrap_err();
        assert!(error.ends_with(meant), "{error}");
    }
    assert!(!"linux/sparc".parse::<Platform>().unwrap_err().contains('?'));
}

#[test]
fn a_level_must_belong_to_its_architecture() {
    let with = |isa: &str| {
        let text = GOOD.replace("[[target]]", &format!("[check]\nisa = {{ {isa} }}\n\n[[target]]"));
        parse(Utf8Path::new("wheels.toml"), &text)
    };
    assert_eq!(with("amd64 = \"x86-64-v2\"").unwrap().check.isa.len(), 1);
    // Without this error, each of these would silently check nothing.
    for isa in ["amd64 = \"armv8-a\"", "x86_64 = \"x86-64-v2\"", "s390x = \"x86-64-v2\""] {
        let error = with(isa).unwrap_err().to_string();
        assert!(error.contains("line 9") && error.contains("check.isa"), "{error}");
    }
    assert!(with("amd64 = \"x86-64-v9\"").unwrap_err().to_string().contains("x86-64-v9"));
}

#[test]
fn ci_targets_must_exist() {
    let good = format!("{GOOD}\n[ci]\ntargets = [\"debian:12\"]\nemulate = [\"linux/arm64\"]");
    assert_eq!(parse(Utf8Path::new("wheels.toml"), &good).unwrap().ci.targets, ["debian:12"]);
    let wrong = good.replace("\"debian:12\"]\nemulate", "\"debain\"]\nemulate");
    let error = parse(Utf8Path::new("wheels.toml"), &wrong).unwrap_err().to_string();
    assert!(error.contains("line ") && error.contains("debain"), "{error}");
}

#[test]
fn a_value_is_one_word_and_not_an_option() {
    let image = error("image = \"debian:12\"", "image = \"--evil\"");
    assert!(image.contains("line 10") && image.contains("--evil"), "{image}");
    let after = |line: &str| {
        error(
            "platforms = [\"linux/amd64\"]\n",
            &format!("platforms = [\"linux/amd64\"]\n{line}\n"),
        )
    };
    for table in [
        "[ci]\nrunners = { \"linux/amd64\" = \"x\\n    steps: [evil]\" }",
        "[ci]\nrunners = { \"linux/amd64\" = \"${{ evil }}\" }",
        "[engine]\nbuilder = \"--evil\"",
        "[engine]\nhost = \"ssh://-oProxyCommand=evil\"",
        "[engine]\nhosts = { \"linux/arm64\" = \"-evil\" }",
        "[base-image]\nrepository = \"--evil\"",
        "[cache]\nfrom = [\"--evil\"]",
        "[cache]\nto = [\"type=local,dest=/x\\nevil\"]",
        "bootstrap = { tool = \"mmdebstrap\", suite = \"--evil\" }",
        "bootstrap = { tool = \"mmdebstrap\", suite = \"bookworm\", mirror = \"--evil\" }",
        "bootstrap = { tool = \"mmdebstrap\", suite = \"bookworm\", components = [\"a b\"] }",
        "bootstrap = { tool = \"mmdebstrap\", suite = \"bookworm\", keyring = \"--evil\" }",
        "bootstrap = { tool = \"mmdebstrap\", suite = \"bookworm\", keyring = \"/k\\nevil=1\" }",
    ] {
        let error = after(table);
        let line = if table.starts_with('[') { "line 15" } else { "line 14" };
        // The error of a separate table is on the table's line.
        let place = error.contains(line) || error.contains("line 14");
        let named = error.contains("evil") || error.contains("a b");
        assert!(place && named, "{table}: {error}");
    }
    for line in [
        "recipe = \"--evil\"",
        "requirements = \"docker/--evil$(x)\"",
        "requirements = \"--evil/docker\"",
        "system_packages = { apt = [\"-evil\"] }",
        "system_packages = { apt = [\"a;evil *\"] }",
    ] {
        let error = error("pythons = [\"cp311\"]", &format!("pythons = [\"cp311\"]\n{line}"));
        assert!(error.contains("line 7") && error.contains("evil"), "{error}");
    }
    for sdist in ["--evil==1", "demo==-1"] {
        assert!(error("demo==1.0", sdist).contains("line 2"), "{sdist}");
    }
}

#[test]
fn a_folder_has_its_own_keys_and_paths_stay_inside() {
    let with = |lines: &str| {
        let text = GOOD.replace("sdist = \"demo==1.0\"", lines);
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("sha256")).collect();
        parse(Utf8Path::new("wheels.toml"), &text.join("\n"))
    };
    let all = "path = \".\"\npackage = \"./python/\"\ninclude = [\"src/*/_gen.c\"]\n\
               exclude = [\"./data/\"]\nsubmodules = [\"*\"]\ngit = false";
    let Source::Path(local) = with(all).unwrap().source else { unreachable!("`path` is set") };
    assert_eq!((local.package.as_str(), local.git), ("python", false));
    assert_eq!(local.include[0].0.as_str(), "src/*/_gen.c");
    assert_eq!((local.exclude[0].0.as_str(), local.submodules.len()), ("data", 1));
    let Source::Path(local) = with("path = \".\"").unwrap().source else { unreachable!() };
    assert!(local.git && local.package.as_str().is_empty());
    for (key, value) in [
        ("package", "\"../a\""),
        ("package", "\"/a\""),
        ("include", "[\"a\", \"../b\"]"),
        ("exclude", "[\"/etc/*\"]"),
        ("submodules", "[\"a/../../b\"]"),
        ("exclude", "[\"a***\"]"),
        ("git", "\"no\""),
    ] {
        let error = with(&format!("path = \".\"\n{key} = {value}")).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains(key), "{error}");
        let error = error_of_sdist(&format!("{key} = {value}"));
        assert!(error.contains("line 4") && error.contains(key), "{error}");
    }
}

/// The error for an sdist source with the additional `line`.
fn error_of_sdist(line: &str) -> String {
    error("\n\n[build]", &format!("\n{line}\n\n[build]"))
}

#[test]
fn published_wheels_come_from_the_index_or_the_repository() {
    let with = |check: &str| {
        let text = GOOD.replace("[[target]]", &format!("[check]\n{check}\n\n[[target]]"));
        parse(Utf8Path::new("wheels.toml"), &text)
    };
    let like = |like: &str| with(&format!("like = \"{like}\"")).map(|config| config.check.like);
    assert_eq!(like("index").unwrap(), Some(Like::Index));
    assert_eq!(like("./index").unwrap(), Some(Like::Folder("./index".into())));
    for wrong in ["", "/published", "../published", "a/../../b"] {
        let error = like(wrong).unwrap_err().to_string();
        assert!(error.contains("line 9") && error.contains("check.like"), "{error}");
    }
    assert_eq!(with("commands = [\"demo -v\"]").unwrap().check.commands, ["demo -v"]);
    for wrong in ["", "demo -v | cat", "demo && demo"] {
        assert!(with(&format!("commands = [\"{wrong}\"]")).is_err(), "{wrong}");
    }
    for right in ["sh -c 'demo -v | cat'", "demo a|b"] {
        assert!(with(&format!("commands = [\"{right}\"]")).is_ok(), "{right}");
    }
}

#[test]
fn a_target_name_may_have_the_form_of_a_manylinux_image() {
    let named = |name: &str| {
        let text = GOOD.replace("\"debian12\"", &format!("\"{name}\""));
        parse(Utf8Path::new("wheels.toml"), &text)
    };
    assert_eq!(named("manylinux_2_28").unwrap().targets[0].name, "manylinux_2_28");
    for wrong in ["manylinux__2", "_a", "a_", "a._b", "A_b"] {
        assert!(named(wrong).is_err(), "{wrong}");
    }
}
