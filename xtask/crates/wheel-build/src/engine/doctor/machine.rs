//! Reads a machine without starting programs: its files, its environment, its free space.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::engine::host::{self, Host};
use crate::engine::setup::sources::{self, Source};
use crate::sys;
use wheel_audit::files;
use wheel_audit::sys::is_executable;

/// Folders of daemons and administration tools, which may be missing in a user's `PATH`.
pub(crate) const ADMIN_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// The machine to examine: the real one, or a folder and values for tests.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The folder that serves as `/`.
    pub root: Utf8PathBuf,
    /// The environment.
    pub vars: BTreeMap<String, String>,
    /// True if the user is root.
    pub is_root: bool,
    /// The architecture of this program, as the standard library names it.
    pub arch: &'static str,
    /// The operating system, as the standard library names it.
    pub system: &'static str,
    /// The workspace, where results are written.
    pub workspace: Utf8PathBuf,
    /// Free bytes at a path.
    pub free: fn(&Utf8Path) -> Option<u64>,
}

/// The contents of `/etc/os-release`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OsRelease {
    /// Such as `debian`.
    pub id: String,
    /// Such as `12`; empty on rolling systems.
    pub version: String,
    /// Such as `bookworm`.
    pub codename: String,
    /// Such as `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
}

impl OsRelease {
    /// Parses the file's text.
    pub(crate) fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
            let value = line.and_then(|rest| rest.strip_prefix('=')).unwrap_or_default().trim();
            value.trim_matches(['"', '\'']).to_owned()
        };
        let name = [field("PRETTY_NAME"), field("NAME"), "unknown system".to_owned()];
        Self {
            id: field("ID"),
            version: field("VERSION_ID"),
            codename: field("VERSION_CODENAME"),
            name: name.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        }
    }
}

/// The package sources of a machine with apt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Apt {
    /// All active sources, of any vendor.
    pub sources: Vec<Source>,
    /// The text of `/etc/apt/preferences`.
    pub preferences: String,
}

/// A file of trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaBundle {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

impl Host for Machine {
    fn var(&self, name: &str) -> Option<String> {
        Self::var(self, name).map(str::to_owned)
    }

    fn names(&self) -> Vec<String> {
        self.vars.keys().cloned().collect()
    }

    fn list(&self, folder: &Utf8Path) -> Vec<Utf8PathBuf> {
        let paths = self.files_in(folder.as_str());
        // As paths on this machine.
        let named = |path: Utf8PathBuf| Some(folder.join(path.file_name()?));
        paths.into_iter().filter_map(named).collect()
    }

    fn read(&self, path: &Utf8Path) -> std::io::Result<String> {
        files::text(&self.at(path.as_str()), host::SECRET_LIMIT)
    }

    fn size(&self, path: &Utf8Path) -> Option<u64> {
        let meta = fs_err::metadata(self.at(path.as_str())).ok()?;
        meta.is_file().then_some(meta.len())
    }
}

impl Machine {
    /// The machine that this program runs on.
    pub(crate) fn this(workspace: &Utf8Path) -> Self {
        Self {
            root: Utf8PathBuf::from("/"),
            vars: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            is_root: sys::is_root(),
            arch: std::env::consts::ARCH,
            system: std::env::consts::OS,
            workspace: workspace.to_owned(),
            free: sys::free_space,
        }
    }

    /// Returns whether commands can install packages here and configure the kernel.
    pub(crate) fn is_linux(&self) -> bool {
        self.system == "linux"
    }

    /// The absolute path `path` on this machine.
    pub(crate) fn at(&self, path: &str) -> Utf8PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Returns whether `path` exists.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// The value of an environment variable, if it is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The path of `program`, on `PATH` or in the folders of administration tools.
    pub(crate) fn find(&self, program: &str) -> Option<Utf8PathBuf> {
        let path = self.var("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
        let folders = path.split(':').chain(ADMIN_PATH.split(':')).filter(|dir| !dir.is_empty());
        folders.map(|dir| Utf8Path::new(dir).join(program)).find(|path| {
            let meta = fs_err::metadata(self.at(path.as_str()));
            meta.is_ok_and(|meta| meta.is_file() && is_executable(&meta))
        })
    }

    /// The operating system.
    pub(crate) fn os(&self) -> OsRelease {
        let files = ["/etc/os-release", "/usr/lib/os-release"];
        let text = files.iter().find_map(|file| fs_err::read_to_string(self.at(file)).ok());
        OsRelease::parse(&text.unwrap_or_default())
    }

    /// The architecture's name in container platforms.
    pub(crate) fn platform_arch(&self) -> &'static str {
        match self.arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            other => other,
        }
    }

    /// Returns whether systemd runs this machine, and is not merely installed.
    pub(crate) fn systemd(&self) -> bool {
        self.has("/run/systemd/system")
    }

    /// Apt and its sources, if this is an apt system.
    pub(crate) fn apt(&self) -> Option<Apt> {
        self.find("apt-get")?;
        let read = |path: &Utf8Path| fs_err::read_to_string(path).unwrap_or_default();
        let mut sources = sources::parse_one_line(&read(&self.at("/etc/apt/sources.list")));
        for path in self.files_in("/etc/apt/sources.list.d") {
            match path.extension() {
                Some("sources") => sources.extend(sources::parse_deb822(&read(&path))),
                Some("list") => sources.extend(sources::parse_one_line(&read(&path))),
                _ => {}
            }
        }
        Some(Apt { sources, preferences: read(&self.at("/etc/apt/preferences")) })
    }

    /// The paths in a folder, sorted; none if it cannot be read.
    pub(super) fn files_in(&self, folder: &str) -> Vec<Utf8PathBuf> {
        let Ok(dir) = self.at(folder).read_dir_utf8() else { return Vec::new() };
        let mut paths: Vec<_> = dir.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
        paths.sort();
        paths
    }

    /// The certificates that containers inherit.
    pub(crate) fn ca_bundle(&self) -> Option<CaBundle> {
        let path = host::ca_bundle(self)?;
        let size = Host::size(self, &path)?;
        Some(CaBundle { path, size })
    }

    /// The names of the proxy variables that are set. Their values may contain passwords.
    pub(crate) fn proxies(&self) -> Vec<String> {
        let names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
        let set = names.iter().flat_map(|name| [(*name).to_owned(), name.to_uppercase()]);
        set.filter(|name| self.var(name).is_some()).collect()
    }

    /// The names of the proxies and indexes on a loopback address, which is a different one in a container.
    pub(crate) fn loopback_settings(&self) -> Vec<String> {
        let host = host::HostSettings::collect(self, "");
        host.loopback_settings().into_iter().map(str::to_owned).collect()
    }

    /// The setting files that containers cannot inherit, each with the reason, and the names of the indexes that are
    /// paths on this machine.
    pub(crate) fn unusable_settings(&self) -> Vec<String> {
        let host = host::HostSettings::collect(self, "");
        let paths = host.path_settings().into_iter();
        let paths = paths.map(|name| format!("{name} is a path on this machine"));
        paths.chain(host.problems.iter().cloned()).collect()
    }

    /// The variables that containers inherit, including those of pip's and uv's files.
    pub(crate) fn inherited_settings(&self) -> BTreeMap<String, String> {
        host::HostSettings::collect(self, "").settings
    }

    /// Returns whether dpkg has a package of this name installed.
    pub(crate) fn has_package(&self, name: &str) -> bool {
        self.has(&format!("/var/lib/dpkg/info/{name}.list"))
    }

    /// Free bytes at `path`, or at its closest existing parent.
    pub(crate) fn free_space(&self, path: &Utf8Path) -> Option<u64> {
        path.ancestors().find(|path| self.has(path.as_str())).and_then(self.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_parsed_with_and_without_quotes() {
        let debian = OsRelease::parse(
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
             VERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n",
        );
        assert_eq!((&*debian.id, &*debian.version), ("debian", "12"));
        assert_eq!(
            (&*debian.codename, &*debian.name),
            ("bookworm", "Debian GNU/Linux 12 (bookworm)")
        );
        let rocky = OsRelease::parse("NAME='Rocky Linux'\nID=\"rocky\"\nVERSION_ID=\"9.4\"\n");
        assert_eq!((&*rocky.id, &*rocky.version, &*rocky.name), ("rocky", "9.4", "Rocky Linux"));
        assert_eq!(OsRelease::parse("").name, "unknown system");
    }
}
