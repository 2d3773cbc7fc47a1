//! Makes an RPM system with `dnf --installroot` and its own configuration. This machine's repositories and RPM
//! settings do not apply, and unsigned packages are rejected.

use std::fmt::Write as _;

use camino::Utf8Path;

use crate::config::{Bootstrap, Platform};
use crate::exec::Step;

/// Files that are useless in an image or belong to this run, as tar patterns from the root.
const LEFT_OUT: [&str; 6] =
    ["./dev/*", "./run/*", "./tmp/*", "./var/cache/*", "./var/log/*", "./var/lib/rpm/.rpm.lock"];

/// The files that the calls below read, relative to their folder.
pub(super) fn files(bootstrap: &Bootstrap) -> [(&'static str, String); 2] {
    // RPM puts its database where this machine's macros point, also for the new system; Debian's point
    // to `~/.rpmdb`. EL 8 and later read it here.
    let macros = "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n".to_owned();
    [("dnf.conf", config(bootstrap)), ("home/.rpmmacros", macros)]
}

/// A configuration with only the repositories of `bootstrap` (dnf.conf(5)). Its paths are relative to the new
/// system.
fn config(bootstrap: &Bootstrap) -> String {
    let mut text = "[main]\ngpgcheck=1\nlocalpkg_gpgcheck=1\nbest=1\nplugins=0\nkeepcache=0\n\
        install_weak_deps=0\ntsflags=nodocs\ncachedir=/var/cache/dnf\nlogdir=/var/log\n\
        reposdir=/dev/null\nvarsdir=/dev/null\n"
        .to_owned();
    let key = bootstrap.keyring.as_deref().map_or("", Utf8Path::as_str);
    for (index, url) in bootstrap.repositories.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[xtask-{index}]\nname=xtask-{index}\nbaseurl={url}\ngpgcheck=1\ngpgkey=file://{key}\n"
        );
    }
    text
}

/// The calls that install the system in `folder`, which has [`files`], and pack it as `rootfs`.
pub(super) fn steps(
    bootstrap: &Bootstrap,
    platform: &Platform,
    folder: &Utf8Path,
    rootfs: &Utf8Path,
) -> [Step; 2] {
    let root = folder.join("root");
    let install = Step::new("dnf", ["--assumeyes"])
        .arg(format!("--config={}", folder.join("dnf.conf")))
        .arg(format!("--installroot={root}"))
        .arg(format!("--releasever={}", bootstrap.suite))
        .arg(format!("--forcearch={}", platform.rpm_arch()))
        .arg("install")
        .args(&bootstrap.packages)
        .env("HOME", folder.join("home").as_str())
        .hint("run it as root, with `dnf`, and `rpm` 4.14 or later");
    let mut pack = Step::new("tar", ["--create", "--sort=name", "--numeric-owner", "--mtime=@1"])
        .args(["--format=posix", "--pax-option=delete=atime,delete=ctime"])
        // Some programs need file capabilities.
        .args(["--xattrs", "--xattrs-include=security.capability"]);
    for pattern in LEFT_OUT {
        pack = pack.arg(format!("--exclude={pattern}"));
    }
    let pack = pack.arg(format!("--file={rootfs}")).arg(format!("--directory={root}")).arg(".");
    [install, pack]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::config::BootstrapTool;

    fn el() -> Bootstrap {
        Bootstrap {
            tool: BootstrapTool::Dnf,
            suite: "9".into(),
            mirror: None,
            components: Vec::new(),
            keyring: Some("/etc/pki/rpm-gpg/KEY".into()),
            repositories: vec!["https://a.example/BaseOS/$basearch/os/".into()],
            packages: vec!["bash".into(), "dnf".into()],
        }
    }

    #[test]
    fn only_the_named_repositories_and_their_key_apply() {
        let [(_, config), (_, macros)] = files(&el());
        insta::assert_snapshot!(config, @r"
        [main]
        gpgcheck=1
        localpkg_gpgcheck=1
        best=1
        plugins=0
        keepcache=0
        install_weak_deps=0
        tsflags=nodocs
        cachedir=/var/cache/dnf
        logdir=/var/log
        reposdir=/dev/null
        varsdir=/dev/null

        [xtask-0]
        name=xtask-0
        baseurl=https://a.example/BaseOS/$basearch/os/
        gpgcheck=1
        gpgkey=file:///etc/pki/rpm-gpg/KEY
        ");
        assert!(macros.contains("%_dbpath /var/lib/rpm\n"));
    }

    #[test]
    fn the_architecture_has_rpms_name() {
        let words = |platform: &str| {
            let steps = steps(&el(), &platform.parse().unwrap(), "/w".into(), "/w/r.tar".into());
            steps.map(|step| step.to_string())
        };
        insta::assert_snapshot!(words("linux/arm64")[0], @"HOME=/w/home dnf --assumeyes --config=/w/dnf.conf --installroot=/w/root --releasever=9 --forcearch=aarch64 install bash dnf");
        assert!(words("linux/amd64")[0].contains("--forcearch=x86_64 "));
        assert!(words("linux/amd64")[1].ends_with("--file=/w/r.tar --directory=/w/root ."));
    }
}
