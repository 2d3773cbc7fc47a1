//! `reproduce` in containers: reports how the circumstances of a build affect the wheel, and that a fixed environment
//! prevents differences.

use std::collections::BTreeMap;

use crate::workspace::Workspace;

/// Writes a wheel with facts about its build. Its members have the order of directory entries and the time of the
/// build.
const BACKEND: &str = r#"import base64, hashlib, os, socket, subprocess, sys, time, zipfile
TAG = "cp311-cp311-linux_x86_64"
CODE = 'const char *stamp(void) { return __FILE__ " " __DATE__ " " __TIME__; }\nvoid *PyInit_%s(void) { return 0; }\n'
def compiled(name, env):
    open(name + ".c", "w").write(CODE % name)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-g", os.path.abspath(name + ".c"), "-o", name + ".so",
        "-Wl,-z,relro,-z,now"], check=True, env=env)
    return open(name + ".so", "rb").read()
def build_wheel(folder, settings=None, metadata=None):
    undated = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    fixed = (time.tzname, os.environ["LC_ALL"], oct(os.umask(0o22)), sorted(map(hash, "abc")), os.path.expanduser("~"))
    files = {
        "pkg/clock.txt": time.ctime().encode(),
        "pkg/host.txt": socket.gethostname().encode(),
        "pkg/node.txt": os.uname().nodename.encode(),
        "pkg/order.txt": "\n".join(os.listdir("data")).encode(),
        "pkg/cores.txt": str(len(os.sched_getaffinity(0))).encode(),
        "pkg/fixed.txt": repr(fixed).encode(),
        "pkg/_dated.cpython-311-x86_64-linux-gnu.so": compiled("_dated", undated),
        "pkg/_fixed.cpython-311-x86_64-linux-gnu.so": compiled("_fixed", None),
        "circumstances-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: circumstances\nVersion: 1.0\n",
        "circumstances-1.0.dist-info/WHEEL":
            ("Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: false\nTag: %s\n" % TAG).encode(),
    }
    files.update(("data/" + name, b"x") for name in os.listdir("data"))
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    record = "".join("%s,sha256=%s,%d\n" % (name, digest(data), len(data)) for name, data in files.items())
    files["circumstances-1.0.dist-info/RECORD"] = (record + "circumstances-1.0.dist-info/RECORD,,\n").encode()
    name = "circumstances-1.0-%s.whl" % TAG
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, data in files.items():
            wheel.writestr(zipfile.ZipInfo(path, time.localtime()[:6]), data)
    return name
"#;

#[test]
fn traces_of_the_build_environment_in_a_wheel_are_named() {
    let w = Workspace::of_package("path = \"pkg\"", "");
    let write = |name: &str, text: &str| {
        let path = w.root.join("pkg").join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    let system =
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    write(
        "pyproject.toml",
        &format!("{system}[project]\nname = \"circumstances\"\nversion = \"1.0\"\n"),
    );
    write("backend.py", BACKEND);
    for name in ["one", "two", "three", "four", "five", "six"] {
        write(&format!("data/{name}"), "");
    }
    let (stdout, _) = w.run(&["reproduce", "debian:12", "linux/amd64", "--json"], 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let differences = report["jobs"][0]["differences"].as_array().unwrap();
    let own = differences.iter().filter(|it| it["follows"] != true);
    let causes: BTreeMap<&str, &str> =
        own.map(|it| (it["member"].as_str().unwrap(), it["cause"].as_str().unwrap())).collect();
    let mut expected = BTreeMap::from([
        ("pkg/_dated.cpython-311-x86_64-linux-gnu.so", "date"),
        ("pkg/clock.txt", "date"),
        ("pkg/host.txt", "host"),
        ("pkg/node.txt", "host"),
        ("pkg/order.txt", "order"),
    ]);
    if std::thread::available_parallelism().unwrap().get() > 1 {
        expected.insert("pkg/cores.txt", "content");
    }
    // Without differences: `pkg/fixed.txt`, the module whose compiler uses SOURCE_DATE_EPOCH, and the archive.
    assert_eq!(causes, expected, "{stdout}");
}
