//! Provider `image`: the interpreter of a base image. `fixtures/providers.sh` tests the other layouts.

use crate::workspace::{Workspace, sh};

/// Debian 12 in the layout of manylinux images: an interpreter below `/opt/_internal`, a link to it, compilers in a
/// folder on `PATH`, and no other `python3` or compiler.
const MANYLINUX: &str = r"ENV home=/opt/_internal/cpython-3.11.2
RUN rm -rf /opt/python /opt/toolchain /usr/local/bin/* /usr/local/lib/python3* \
 && mkdir -p $home/bin $home/lib/python3 $home/include /opt/python /opt/rh/root/usr/bin \
 && mv /usr/bin/python3.11 $home/bin/ && mv /usr/lib/python3.11 $home/lib/ \
 && mv /usr/include/python3.11 $home/include/ && mv /usr/lib/python3/dist-packages $home/lib/python3/ \
 && rm /usr/bin/python3* && ln -s python3.11 $home/bin/python \
 && ln -s $home /opt/python/cp311-cp311 \
 && for tool in gcc g++; do rm /usr/bin/$tool; ln -s /usr/bin/$tool-12 /opt/rh/root/usr/bin/$tool; done
ENV PATH=/opt/rh/root/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
";

/// The user's own image, removed at the end.
struct Image(&'static str);

impl Image {
    /// Creates the image `name` from `base`.
    fn make(name: &'static str, base: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dockerfile = format!("FROM {base}\n{MANYLINUX}");
        fs_err::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
        let folder = dir.path().display().to_string();
        sh("docker", &["build", "--quiet", "--tag", name, &folder]);
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let args = ["image", "rm", self.0];
        let _ = std::process::Command::new("docker").args(args).output();
    }
}

/// Debian 12 with compilers and Python 3.11.
fn base() -> String {
    let w = Workspace::new(|toml| toml);
    let args = ["base-image", "build", "debian12", "linux/amd64", "--python", "cp311", "--json"];
    let (stdout, _) = w.run(&args, 0);
    let made: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    made[0]["reference"].as_str().unwrap().to_owned()
}

#[test]
fn a_wheel_is_built_with_the_interpreter_of_a_manylinux_image() {
    let image = Image::make("localhost/manylinux_fixture:1", &base());
    let w = Workspace::of_package(MARKUPSAFE, "imports = [\"markupsafe._speedups\"]");
    // wheels.toml does not mention the image or its interpreters, and nothing is installed in it.
    w.replace("scripts/packages.sh", |text| {
        text.replace("pkg_refresh() {", "pkg_refresh() {\n    return 1")
    });
    let (stdout, _) = w.run(&["wheels", image.0, "linux/amd64"], 0);
    assert!(stdout.contains("1 of 1 wheels"), "{stdout}");
    let dist = fs_err::read_dir(w.dist()).unwrap();
    let dist = dist.map(|entry| entry.unwrap()).find(|it| it.path().is_dir()).unwrap();
    let folder = dist.file_name().into_string().unwrap();
    assert_eq!(w.wheels(&folder), ["markupsafe-3.0.2-cp311-cp311-manylinux_2_36_x86_64.whl"]);
    let info = w.json(&format!("{folder}/build-info.json"));
    assert_eq!(info["interpreters"][0]["provider"], "image");
    assert_eq!(info["tools"]["python3"], "3.11.2", "scripts run with the image's, too");
    let detail = info["interpreters"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("/opt/python/cp311-cp311/bin/python"), "{detail}");
}

const MARKUPSAFE: &str = "sdist = \"markupsafe==3.0.2\"\n\
    sha256 = \"ee55d3edf80167e48ea11a923c7386f4669df67d7994554387f84e7d8b0a2bf0\"";
