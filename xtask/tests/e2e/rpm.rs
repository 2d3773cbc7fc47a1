//! Enterprise Linux with the real dnf and RPM and the test's own repository, because test machines may not reach its
//! mirrors.

use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8PathBuf;

use crate::common::skip::unless_skipped;
use crate::workspace::{Workspace, debian_12, repository, sh};

/// The packages that the scripts name, some with their programs.
const PACKAGES: &str = "ca-certificates curl curl-minimal diffutils findutils gcc=/usr/bin/gcc \
    gcc-c++=/usr/bin/g++ glibc-devel gzip make pkgconf-pkg-config python3 python3-pip tar xz git-core \
    cmake file rust cargo python3.10=/usr/bin/python3.10 python3.10-devel \
    python3.12=/usr/bin/python3.12 python3.12-devel libffi libffi-devel sqlite-devel \
    bzip2-devel libzstd-devel openssl-devel xz-devel zlib-devel bash=/bin/bash snappy";

/// An image with dnf, RPM and the repository in `/repo`; returns its id.
fn image() -> String {
    let dir = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    let script = include_str!("../fixtures/rpm-repository.sh");
    fs_err::write(folder.join("rpm-repository.sh"), script).unwrap();
    let dockerfile = format!(
        "FROM {}\nRUN apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install --yes \
         --no-install-recommends dnf createrepo-c rpm gnupg\nCOPY rpm-repository.sh /\n\
         RUN sh /rpm-repository.sh /repo x86_64 {PACKAGES}\n\
         RUN sh /rpm-repository.sh /repo aarch64 bash=/bin/bash\n",
        debian_12()
    );
    fs_err::write(folder.join("Dockerfile"), dockerfile).unwrap();
    sh("docker", &["build", "--quiet", folder.as_str()]).trim().to_owned()
}

#[test]
fn defect_07_the_dnf_branch_works_with_curl_minimal() {
    let image = image();
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("dnf-branch.sh");
    fs_err::write(&script, include_str!("../fixtures/dnf-branch.sh")).unwrap();
    let scripts = format!("{}/scripts:/xtask:ro", repository());
    let test = format!("{}:/test.sh:ro", script.display());
    let args = ["run", "--rm", "--network=none", "--volume", &scripts, "--volume", &test, &image];
    sh("docker", &[&args[..], &["sh", "/test.sh"]].concat());
}

/// A workspace with one target, created by dnf in `image` for this machine.
fn bootstrapped(image: &str, key: &str) -> Workspace {
    let w = Workspace::new(|_| String::new());
    let top = w.root.parent().unwrap().to_owned();
    let text = sh("docker", &["run", "--rm", image, "cat", &format!("/repo/{key}.asc")]);
    fs_err::write(top.join("key.asc"), text).unwrap();
    let toml = format!(
        "[source]\nsdist = \"markupsafe==3.0.2\"\n\
         sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"\n\
         [build]\npythons = [\"cp311\"]\n[[target]]\nname = \"el\"\nimage = \"registry.invalid/el:9\"\n\
         family = \"dnf\"\nglibc = \"2.34\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n\
         [target.bootstrap]\ntool = \"dnf\"\nsuite = \"9\"\nkeyring = \"{top}/key.asc\"\n\
         repositories = [\"file:///repo/$basearch\"]\npackages = [\"bash\"]\n"
    );
    fs_err::write(w.root.join("wheels.toml"), toml).unwrap();
    // Files that a container unpacks belong to root, and the test may run as another user.
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let dnf = format!(
        "#!/bin/sh\nexec docker run --rm --network=none --env HOME --volume {top}:{top} {image} \
         sh -c 'dnf \"$@\"; code=$?; chown -R {user}:{group} {top}; exit $code' dnf \"$@\"\n"
    );
    fs_err::create_dir_all(top.join("bin")).unwrap();
    fs_err::write(top.join("bin/dnf"), dnf).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(top.join("bin/dnf"), executable).unwrap();
    w
}

fn make(w: &Workspace, platform: &str) -> String {
    let path = format!("{}/bin:{}", w.root.parent().unwrap(), std::env::var("PATH").unwrap());
    let args = ["wheels", "el", platform, "--base", "bootstrap"];
    let output = w.command(&args).env("PATH", path).output().unwrap();
    // The tiny system has no shell, so that the build fails.
    assert_ne!(output.status.code(), Some(0));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn dnf_builds_a_base_image_from_signed_packages() {
    let image = image();
    let builder = sh("docker", &["buildx", "inspect"]);
    let w = bootstrapped(&image, "key");
    for arch in ["amd64", "arm64"] {
        let platform = format!("linux/{arch}");
        let why = format!("the builder does not run {platform}");
        if !unless_skipped(builder.contains(&platform), &why) {
            continue;
        }
        let stderr = make(&w, &format!("linux/{arch}"));
        let start = stderr.find("base image xtask-wheels/os:9-").unwrap_or_default();
        let made = stderr[start..].split(' ').nth(2).unwrap();
        assert!(stderr.contains(&format!("base image {made} (bootstrapped)")), "{stderr}");
        let found =
            sh("docker", &["image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", made]);
        assert_eq!(found.trim(), format!("linux/{arch}"));
        let container = sh("docker", &["create", "--platform", &format!("linux/{arch}"), made]);
        let files = sh("sh", &["-c", &format!("docker export {} | tar -t", container.trim())]);
        sh("docker", &["rm", container.trim()]);
        sh("docker", &["image", "rm", made]);
        let has = |name: &str| files.lines().any(|line| line == name);
        assert!(has("bin/bash") && has("var/lib/rpm/rpmdb.sqlite"), "{files}");
        assert!(!files.contains("var/cache/dnf/") && !files.contains("dnf.log"), "{files}");
    }
    let stderr = make(&bootstrapped(&image, "other"), "linux/amd64");
    assert!(stderr.contains("`dnf` could not make") && stderr.contains("GPG"), "{stderr}");
}
