//! A lock from one machine produces the same bytes on another: two engines, two clones at different paths, two days.
//! Minutes: `cargo xtask ci --full`.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::files;

use crate::offline::{JOB, package};
use crate::second::{Second, may_start_engines};
use crate::workspace::{Workspace, debian_12, ran, repository, sh};

/// The hash of each release file in `dist/` that depends only on the build.
fn hashes(w: &Workspace) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs_err::read_dir(w.dist().join("debian12-amd64")).unwrap() {
        let path = Utf8PathBuf::try_from(entry.unwrap().path()).unwrap();
        let name = path.file_name().unwrap().to_owned();
        if name.contains(".whl") {
            all.insert(name, files::sha256(&path).unwrap());
        }
    }
    all
}

/// A library that sets the clock of programs forward by more than a year.
fn clock_library(folder: &Utf8Path) -> String {
    let (source, library) = (repository().join("scripts/vary.c"), folder.join("day.so"));
    let args = [
        "-O1",
        "-fPIC",
        "-shared",
        "-DXTASK_HOST=\"other\"",
        "-o",
        library.as_str(),
        source.as_str(),
    ];
    sh("cc", &[&args[..], &["-lpthread", "-ldl"]].concat());
    library.into_string()
}

#[test]
fn a_lock_of_one_machine_builds_the_same_bytes_on_another() {
    if !may_start_engines() {
        return;
    }
    let first = package();
    first.commit();
    first.run(&[&["lock"][..], &JOB].concat(), 0);
    first.commit();
    first.run(&[&["wheels", "--locked"][..], &JOB].concat(), 0);

    let second = Second::start();
    let image = first.root.with_file_name("image.tar");
    sh("docker", &["save", "--output", image.as_str(), &debian_12()]);
    ran(&second.docker(&["load", "--quiet", "--input", image.as_str()]), 0);
    let clone = first.cloned();
    let host = second.host();
    let with = ["--locked", "--engine-host", &host, "--network", "host"];
    let mut command = clone.command(&[&["wheels"][..], &JOB, &with].concat());
    command.env("LD_PRELOAD", clock_library(clone.root.parent().unwrap()));
    ran(&command.output().unwrap(), 0);

    assert_eq!(hashes(&first).len(), 3, "the wheel and its two documents");
    assert_eq!(hashes(&clone), hashes(&first));
    clone.run(&["verify", "--like", first.dist().as_str()], 0);
}
