//! Old packages: the real apt and a mirror with two days and two versions of a package.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use camino::{Utf8Path, Utf8PathBuf};

use crate::workspace::{debian_12, repository, sh};

/// Serves the files below `folder`; returns the address.
fn serve(folder: &Utf8Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream, &folder));
        }
    });
    address
}

/// Answers requests of one connection until it ends.
fn answer(mut stream: TcpStream, folder: &Utf8Path) {
    let mut buffer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        buffer.extend_from_slice(&piece[..read]);
        while let Some(end) = buffer.windows(4).position(|it| it == b"\r\n\r\n") {
            let request = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            let path = request.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
            let (status, body) = match fs_err::read(folder.join(path)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    }
}

/// Adds `version` of the package `xtask-demo` to the archive `folder`, whose lists are expired.
fn publish(folder: &Utf8Path, version: &str) {
    let script = format!(
        "set -eu; tree=$(mktemp -d); mkdir -p \"$tree/DEBIAN\" {folder}/dists/stable/main/binary-amd64 {folder}/pool\n\
         printf 'Package: xtask-demo\\nVersion: {version}\\nArchitecture: all\\nMaintainer: test\\nDescription: test\\n' >\"$tree/DEBIAN/control\"\n\
         dpkg-deb --root-owner-group --build \"$tree\" {folder}/pool/xtask-demo_{version}_all.deb >/dev/null\n\
         cd {folder}; index=dists/stable/main/binary-amd64/Packages; : >$index\n\
         for deb in pool/*.deb; do dpkg-deb --field \"$deb\" >>$index\n\
         printf 'Filename: %s\\nSize: %s\\nSHA256: %s\\n\\n' \"$deb\" \"$(stat -c %s \"$deb\")\" \"$(sha256sum \"$deb\" | cut -d' ' -f1)\" >>$index; done\n\
         {{ printf 'Origin: test\\nSuite: stable\\nCodename: stable\\nArchitectures: amd64\\nComponents: main\\nDate: Sun, 01 Nov 2020 00:00:00 UTC\\nValid-Until: Sun, 08 Nov 2020 00:00:00 UTC\\nSHA256:\\n'\n\
         printf ' %s %s main/binary-amd64/Packages\\n' \"$(sha256sum $index | cut -d' ' -f1)\" \"$(stat -c %s $index)\"; }} >dists/stable/Release\n\
         rm -r \"$tree\"\n"
    );
    sh("sh", &["-c", &script]);
}

/// The version that `pkg_install xtask-demo` installs in a container whose only source is `source`, with `settings`.
fn installed(image: &str, source: &str, settings: &[&str]) -> Result<String, String> {
    let scripts = format!("{}/scripts:/xtask:ro", repository());
    let script = format!(
        "rm -f /etc/apt/sources.list.d/*; echo '{source}' >/etc/apt/sources.list\n\
         . /xtask/trust.sh; . /xtask/packages.sh; pkg_install xtask-demo >&2 || exit 1\n\
         pkg_version xtask-demo; grep -q 127.0.0.1 /etc/apt/sources.list"
    );
    let mut args = vec!["run", "--rm", "--network=host", "--volume", &scripts];
    args.extend(settings.iter().flat_map(|it| ["--env", it]));
    args.extend([image, "sh", "-c", &script]);
    let ran = std::process::Command::new("docker").args(&args).output().unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
    let version = String::from_utf8(ran.stdout).unwrap().trim().to_owned();
    if ran.status.success() { Ok(version) } else { Err(errors) }
}

#[test]
fn packages_are_installed_from_a_snapshot_or_by_version() {
    let dir = tempfile::tempdir().unwrap();
    let top = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    publish(&top.join("now/demo"), "1.0");
    publish(&top.join("now/demo"), "2.0");
    publish(&top.join("snapshot/demo/20201101T000000Z"), "1.0");
    publish(&top.join("snapshot/demo/20201102T000000Z"), "1.5");
    let (mirror, image) = (serve(&top), debian_12());
    let source = format!("deb [trusted=yes] {mirror}/now/demo stable main");
    // By default, apt rejects expired lists.
    let stale = installed(&image, &source, &[]).unwrap_err();
    assert!(stale.contains("expired"), "{stale}");
    let template = format!("SNAPSHOT_URL={mirror}/snapshot/{{archive}}/{{time}}/");
    let of = |day: &str, more: &[&str]| {
        let day = format!("SNAPSHOT={day}");
        installed(&image, &source, &[&[day.as_str(), template.as_str()], more].concat()).unwrap()
    };
    assert_eq!(of("20201101T000000Z", &[]), "1.0");
    assert_eq!(of("20201102T000000Z", &[]), "1.5");
    // Installs a locked version if the source has it; otherwise the later comparison reports it.
    let all = format!("SNAPSHOT_URL={mirror}/now/{{archive}}");
    let now = |lock: &str| {
        installed(&image, &source, &["SNAPSHOT=20201103T000000Z", &all, lock]).unwrap()
    };
    assert_eq!(now("LOCKED_PACKAGES="), "2.0");
    assert_eq!(now("LOCKED_PACKAGES=# new\nother=1\nxtask-demo=1.0"), "1.0");
    assert_eq!(now("LOCKED_PACKAGES=xtask-demo=0.9"), "2.0");
    // apt of Debian 12 does not support snapshots itself.
    let unknown = installed(&image, &source, &["SNAPSHOT=20201101T000000Z"]).unwrap_err();
    assert!(unknown.contains("snapshot-url"), "{unknown}");
}
