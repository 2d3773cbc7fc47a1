//! Installs with apt and a separate list of sources. `/etc/apt` stays unchanged.

use anyhow::bail;
use camino::{Utf8Path, Utf8PathBuf};
use wheel_audit::UserError;

use super::sources;
use crate::engine::doctor::docker::without_credentials;
use crate::engine::doctor::facts::Facts;
use crate::engine::doctor::machine::Apt;
use crate::exec::{Captured, Step};

/// Number of apt's last lines in an error.
const TAIL_LINES: usize = 8;

/// A release that provides packages which the machine's own release has only in old versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Borrowed {
    /// The other release.
    pub(super) codename: &'static str,
    /// The other one.
    pub(super) from: &'static str,
}

/// Debian 12 has engine 20.10 without buildx. Debian 13's engine runs on it (it needs glibc 2.34).
/// Debian 12 has no `ubuntu-keyring`; Debian 13's package contains only files.
const BORROWED: [Borrowed; 1] = [Borrowed { codename: "bookworm", from: "trixie" }];

/// The release that this machine borrows packages from.
pub(super) fn borrowed(facts: &Facts) -> Option<Borrowed> {
    let fits =
        |borrowed: &Borrowed| facts.os.id == "debian" && facts.os.codename == borrowed.codename;
    BORROWED.into_iter().find(fits)
}

/// The folder of the separate lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder<'a>(pub(super) &'a Utf8Path);

impl Folder<'_> {
    fn conf(self) -> Utf8PathBuf {
        self.0.join("apt.conf")
    }

    /// The folder that apt expects while it fetches lists.
    pub(super) fn partial(self) -> Utf8PathBuf {
        self.0.join("lists/partial")
    }

    /// The files that make apt read only the machine's own release and, if requested, the borrowed
    /// one.
    pub(super) fn files(
        self,
        apt: &Apt,
        facts: &Facts,
        borrowed: Option<Borrowed>,
    ) -> anyhow::Result<Vec<(Utf8PathBuf, String)>> {
        let codename = &facts.os.codename;
        let mut own = sources::own(&apt.sources, codename, facts.arch);
        if own.is_empty() {
            bail!(
                UserError::new(format!(
                    "`/etc/apt` has no source of `main` for the release `{codename}`"
                ))
                .hint("run `apt-get indextargets` to list apt's sources")
            );
        }
        if facts.os.id == "ubuntu" {
            own.iter_mut().for_each(add_universe);
        }
        let mut text = sources::render(&own, facts.arch);
        let mut preferences = apt.preferences.trim_end().to_owned();
        if let Some(Borrowed { codename, from }) = borrowed {
            text.push_str(&sources::render(
                &sources::for_release(&own, codename, from),
                facts.arch,
            ));
            let gap = if preferences.is_empty() { "" } else { "\n\n" };
            preferences = format!("{preferences}{gap}{}", pin(from));
        }
        Ok(vec![
            (self.conf(), conf(self.0)),
            (self.0.join("sources.list.d/machine.sources"), text),
            (self.0.join("preferences"), preferences),
        ])
    }

    /// Fetches the lists. Needs no privileges.
    pub(super) fn update(self) -> Step {
        self.apt_get(&["update"], &[])
    }

    /// Simulates the installation of `packages`. Needs no privileges.
    pub(super) fn simulate(self, packages: &[String]) -> Step {
        self.apt_get(&["--simulate", "install"], packages)
    }

    /// Installs `packages`.
    pub(super) fn install(self, packages: &[String]) -> Step {
        self.apt_get(&["--yes", "--no-remove", "install"], packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Ubuntu's hook would restart unrelated services.
            .env("NEEDRESTART_SUSPEND", "1")
    }

    fn apt_get(self, verb: &[&str], packages: &[String]) -> Step {
        let conf = format!("--config-file={}", self.conf());
        let verb = verb.iter().map(|word| (*word).to_owned());
        let args = std::iter::once(conf).chain(verb).chain(packages.iter().cloned());
        Step::new("apt-get", args).env("LC_ALL", "C")
    }
}

/// Adds `universe`, where Ubuntu has the engine and the bootstrap tools. It has the same key as `main`.
fn add_universe(source: &mut sources::Source) {
    if !source.components.iter().any(|component| component == "universe") {
        source.components.push("universe".to_owned());
    }
}

/// Packages of `release` are installed only if named explicitly.
pub(super) fn pin(release: &str) -> String {
    format!("Package: *\nPin: release n={release}*\nPin-Priority: 50\n")
}

fn conf(folder: &Utf8Path) -> String {
    format!(
        "// Written by `cargo xtask setup`: apt with a separate list of sources.\n\
         Dir::Etc::SourceList \"/dev/null\";\n\
         Dir::Etc::SourceParts \"{folder}/sources.list.d\";\n\
         Dir::Etc::Preferences \"{folder}/preferences\";\n\
         Dir::State::Lists \"{folder}/lists\";\n\
         // The simulation and the installation share one cache.\n\
         Dir::Cache::pkgcache \"{folder}/pkgcache.bin\";\n\
         Dir::Cache::srcpkgcache \"\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Update::Error-Mode \"any\";\n\
         Acquire::Retries \"2\";\n\
         Acquire::http::Timeout \"30\";\n\
         Acquire::https::Timeout \"30\";\n\
         DPkg::Lock::Timeout \"60\";\n\
         // The system's own lists do not change, so no hooks run after an update.\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n"
    )
}

/// One line of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The package.
    pub package: String,
    /// The installed version.
    pub old: Option<String>,
    /// The new version; `None` if the package would be removed.
    pub new: Option<String>,
    /// The releases of the new version, such as `Debian:13.1/stable`.
    origins: Vec<String>,
}

impl Change {
    /// Returns whether the change is a new package, or an update within the machine's own release. A new package may
    /// require the exact version of an installed one.
    fn is_harmless(&self, own_version: &str) -> bool {
        let own = |origin: &String| {
            let version = origin.split_once(':').map_or("", |(_, rest)| rest);
            let version = version.split('/').next().unwrap_or_default();
            let rest = version.strip_prefix(own_version);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let own_release = || !own_version.is_empty() && self.origins.iter().any(own);
        self.new.is_some() && (self.old.is_none() || own_release())
    }

    fn describe(&self) -> String {
        match (&self.old, &self.new) {
            (_, None) => format!("{} (removed)", self.package),
            (None, Some(new)) => format!("{} {new}", self.package),
            (Some(old), Some(new)) => format!("{} ({old} to {new})", self.package),
        }
    }
}

/// The effect of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forecast {
    /// New packages with their versions.
    pub new: Vec<String>,
    /// Packages that are updated within the machine's own release.
    pub updated: Vec<String>,
}

/// Parses the output of `apt-get --simulate install`.
fn parse(simulation: &str) -> Vec<Change> {
    simulation.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Change> {
    let (verb, rest) = line.split_once(' ')?;
    let (package, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let old = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(old, _)| old);
    let offer = match verb {
        "Inst" => rest.split_once('(')?.1.split(')').next()?,
        "Remv" | "Purg" => "",
        _ => return None,
    };
    let (new, origins) = offer.split_once(' ').unwrap_or((offer, ""));
    let origins = origins.split(" [").next().unwrap_or_default();
    Some(Change {
        package: package.to_owned(),
        old: old.map(str::to_owned),
        new: Some(new).filter(|new| !new.is_empty()).map(str::to_owned),
        origins: origins.split(", ").map(str::to_owned).collect(),
    })
}

/// Judges a simulation on a machine with the release `own_version`.
pub(super) fn forecast(simulation: &str, own_version: &str) -> anyhow::Result<Forecast> {
    let changes = parse(simulation);
    let (harmless, harmful): (Vec<_>, Vec<_>) =
        changes.iter().partition(|change| change.is_harmless(own_version));
    if !harmful.is_empty() {
        let packages = harmful.into_iter().map(Change::describe).collect::<Vec<_>>().join(", ");
        bail!(UserError::new(format!("the installation would change existing packages: {packages}")).hint(
            "nothing was changed; update or remove these packages yourself, then run the same \
             command again"
        ));
    }
    let (new, updated): (Vec<_>, Vec<_>) =
        harmless.into_iter().partition(|change| change.old.is_none());
    let describe = |changes: Vec<&Change>| changes.into_iter().map(Change::describe).collect();
    Ok(Forecast { new: describe(new), updated: describe(updated) })
}

/// The cause of a failed apt call, determined from its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Another process is installing.
    Locked,
    /// A disk is full.
    DiskFull,
    /// An earlier installation was interrupted.
    Unfinished,
    /// The signature of a list is invalid.
    Signature,
    /// A mirror cannot be reached or lacks a file.
    Network,
    /// No source has the package.
    NotOffered,
    /// Packages are held back or conflict.
    Held,
    /// Not root, or a read-only file system.
    Permission,
    /// Something else.
    Other,
}

/// In order of precedence: a full disk, for example, also makes downloads fail.
const OBSTACLES: [(Obstacle, &[&str]); 8] = [
    (Obstacle::Locked, &["Could not get lock", "Unable to acquire the dpkg frontend lock"]),
    (Obstacle::DiskFull, &["No space left on device", "enough free space"]),
    (Obstacle::Unfinished, &["dpkg was interrupted", "dpkg --configure -a"]),
    (Obstacle::Signature, &["NO_PUBKEY", "is not signed", "EXPKEYSIG", "cannot be authenticated"]),
    (
        Obstacle::NotOffered,
        &["Unable to locate package", "no installation candidate", "was not found"],
    ),
    (Obstacle::Held, &["eld packages", "held broken", "unmet dependencies"]),
    (
        Obstacle::Network,
        &[
            "Could not resolve",
            "Temporary failure",
            "Could not connect",
            "Unable to connect",
            "Connection failed",
            "timed out",
            "Failed to fetch",
            "does not have a Release file",
            "index files failed to download",
        ],
    ),
    (Obstacle::Permission, &["Permission denied", "are you root", "Read-only file system"]),
];

impl Obstacle {
    fn of(answer: &str) -> Self {
        let fits = |(_, words): &&(Self, &[&str])| words.iter().any(|word| answer.contains(word));
        OBSTACLES.iter().find(fits).map_or(Self::Other, |(obstacle, _)| *obstacle)
    }

    /// A short description.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Locked => "another process is installing packages",
            Self::DiskFull => "the disk is full",
            Self::Unfinished => "an earlier installation was interrupted",
            Self::Signature => "a package list is not signed by a key of this machine",
            Self::Network => "the package mirror cannot be reached",
            Self::NotOffered => "this machine's package sources lack a package",
            Self::Held => "packages are held back or conflict with each other",
            Self::Permission => "a folder of the package manager cannot be written",
            Self::Other => "the package manager failed",
        }
    }

    /// The hint.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Locked => {
                "wait until it finishes, then run the same command again; `fuser /var/lib/dpkg/lock-frontend` as root shows the process"
            }
            Self::DiskFull => {
                "`df -h` shows the full file system; `apt-get clean` removes apt's downloads"
            }
            Self::Unfinished => "run `dpkg --configure -a` as root to finish it",
            Self::Signature => {
                "run `apt-get install --only-upgrade debian-archive-keyring` (or `ubuntu-keyring`) as root to install newer keys"
            }
            Self::Network => "run `apt-get update` as root to check the machine's own sources",
            Self::NotOffered => {
                "run `cargo xtask doctor` for a list, and install the missing parts yourself"
            }
            Self::Held => "run `apt-mark showhold` and `apt-get check` for details",
            Self::Permission => "run it as root, on a writable system",
            Self::Other => "see apt's messages above",
        }
    }
}

/// The error for a failed apt call, with its cause and apt's last lines.
pub(super) fn failure(step: &Step, answer: &Captured) -> anyhow::Error {
    let all = format!("{}\n{}", answer.stdout, answer.stderr);
    let errors = |line: &&str| line.starts_with("E:") || line.starts_with("dpkg:");
    let mut lines: Vec<&str> = all.lines().filter(errors).collect();
    if lines.is_empty() {
        lines = all.lines().filter(|line| !line.trim().is_empty()).collect();
    }
    let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let obstacle = Obstacle::of(&all);
    let answer = without_credentials(&tail.join(
        "
",
    ));
    UserError::new(format!(
        "{}: `{step}` failed
{answer}",
        obstacle.description()
    ))
    .hint(obstacle.hint())
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FRESH: &str = "\
NOTE: This is only a simulation!
Inst libip6tc2 (1.8.9-2 Debian:12.12/oldstable [amd64])
Inst docker.io (26.1.5+dfsg1-9+deb13u1 Debian:13.1/stable, Debian-Security:13/stable-security [amd64]) []
Inst perl-base [5.36.0-7+deb12u1] (5.36.0-7+deb12u3 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64]) [perl:amd64 ]
Conf libip6tc2 (1.8.9-2 Debian:12.12/oldstable [amd64])
";

    #[test]
    fn a_forecast_separates_new_packages_from_updates() {
        let forecast = forecast(FRESH, "12").unwrap();
        assert_eq!(forecast.new, ["libip6tc2 1.8.9-2", "docker.io 26.1.5+dfsg1-9+deb13u1"]);
        assert_eq!(forecast.updated, ["perl-base (5.36.0-7+deb12u1 to 5.36.0-7+deb12u3)"]);
    }

    #[test]
    fn a_change_of_release_or_removal_of_a_package_is_rejected() {
        let text = "Remv podman-docker [4.3.1]\n\
            Inst libc6 [2.36-9+deb12u10] (2.41-12 Debian:13.1/stable [amd64])\n\
            Inst tini (0.19.0-1 Debian:13.1/stable [amd64])\n";
        let error = forecast(text, "12").unwrap_err();
        let text = UserError::explain(error.as_ref());
        for change in ["podman-docker (removed)", "libc6 (2.36-9+deb12u10 to 2.41-12)", "hint: "] {
            assert!(text.contains(change), "{change}: {text}");
        }
        let ubuntu = "Inst perl-base [5.38.2-3] (5.38.2-3.2 Ubuntu:24.04/noble-updates [amd64])";
        assert!(forecast(ubuntu, "24.04").is_ok());
        assert!(forecast(ubuntu, "24").is_ok() && forecast(ubuntu, "2").is_err());
        assert!(forecast(ubuntu, "").is_err());
    }

    #[test]
    fn the_cause_of_a_failure_is_determined() {
        let obstacle = |answer: &str| Obstacle::of(answer);
        let lock = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)";
        assert_eq!(obstacle(lock), Obstacle::Locked);
        let full = "E: Failed to fetch http://mirror.example/x.deb  No space left on device";
        assert_eq!(obstacle(full), Obstacle::DiskFull);
        let away = "E: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving 'mirror.example'";
        assert_eq!(obstacle(away), Obstacle::Network);
        assert_eq!(obstacle("E: Unable to locate package docker-buildx"), Obstacle::NotOffered);
        let release = "E: Release 'trixie' for 'docker.io' was not found";
        assert_eq!(obstacle(release), Obstacle::NotOffered);
        let held = "E: Unable to correct problems, you have held broken packages.";
        assert_eq!(obstacle(held), Obstacle::Held);
        assert_eq!(obstacle("E: The repository 'x' is not signed."), Obstacle::Signature);
        assert_eq!(obstacle("E: nobody knows"), Obstacle::Other);
    }
}
