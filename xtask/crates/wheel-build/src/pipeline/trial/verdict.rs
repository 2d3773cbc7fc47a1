//! Compares the result of a wheel on a system with the audit's prediction (pure).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wheel_audit::audit::{Cell, State};

/// Report of `scripts/try.py`: a system, and the result of each wheel.
#[derive(Debug, Deserialize)]
pub(super) struct SystemReport {
    pub(super) schema_version: u32,
    /// True if code of the wheels ran as an unprivileged user.
    pub(super) unprivileged: bool,
    /// By name of the wheel's folder.
    pub(super) wheels: BTreeMap<String, Observed>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Observed {
    /// True if an installer accepts its platform tags; `None` if the installer failed.
    pub installs: Option<bool>,
    /// Output of the installer.
    pub installer: String,
    /// Interpreter that imported the wheel; without one, its files were loaded by path.
    pub interpreter: Option<String>,
    /// Each file that was loaded.
    pub files: Vec<LoadedFile>,
    /// Why the files were not loaded.
    pub problem: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct LoadedFile {
    /// Its path in the wheel.
    pub path: String,
    /// `import NAME`, `dlopen`, `list` (of a program) or `loaded by another file`.
    pub how: String,
    /// True if the loader accepted it; `None` if that depends on the package's own code.
    pub ok: Option<bool>,
    /// Message of the loader.
    pub words: String,
    /// Symbols of another interpreter's API that the test provided.
    #[serde(default)]
    pub supplied: Vec<String>,
}

/// Comparison of the result with the prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Agreement {
    /// It agrees.
    Hit,
    /// It does not agree.
    Miss,
    /// The test cannot decide.
    Undecided,
    /// Nothing was tried.
    Untried,
}

impl LoadedFile {
    /// The library that the loader did not find (glibc's `dl-load.c`, musl's `dynlink.c`).
    fn missing_library(&self) -> Option<&str> {
        let glibc = self.words.split_once(": cannot open shared object file");
        let before = glibc.map(|(before, _)| before).or_else(|| {
            let (_, rest) = self.words.split_once("Error loading shared library ")?;
            rest.split_once(": No such file").map(|(name, _)| name)
        })?;
        before.rsplit(' ').next()
    }

    /// Returns whether the processor lacks instructions of the file (glibc's `sysdeps/x86/dl-prop.h`, the kernel).
    fn needs_newer_processor(&self) -> bool {
        ["CPU ISA level is lower than required", "(SIGILL)"]
            .iter()
            .any(|words| self.words.contains(words))
    }
}

impl Observed {
    /// Leaves open the result of files that only lack a library which `is_promised`: the clean image lacks it, but
    /// systems of the tag provide it.
    pub(super) fn on_promised(mut self, is_promised: impl Fn(&str) -> bool) -> Self {
        for file in self.files.iter_mut().filter(|file| file.ok == Some(false)) {
            if file.missing_library().is_some_and(&is_promised) {
                file.ok = None;
                file.words.push_str(" (the tag promises the library; the clean image lacks it)");
            }
        }
        self
    }

    /// Returns whether all files load; `None` if the test cannot decide.
    pub(crate) fn loads(&self) -> Option<bool> {
        if self.files.iter().any(|file| file.ok == Some(false)) {
            return Some(false);
        }
        let all = self.problem.is_empty() && self.files.iter().all(|file| file.ok == Some(true));
        all.then_some(true)
    }

    /// The first file that does not load, else the first that the test cannot decide.
    pub(crate) fn culprit(&self) -> Option<&LoadedFile> {
        let first = |ok| self.files.iter().find(|file| file.ok == ok);
        first(Some(false)).or_else(|| first(None))
    }

    /// The result in the words of [`State::as_str`].
    pub(crate) fn as_str(&self) -> &'static str {
        match (self.installs, self.loads()) {
            (Some(true) | None, Some(true)) => State::Loads.as_str(),
            (Some(true) | None, Some(false)) => State::Breaks.as_str(),
            (Some(true) | None, None) => State::Unknown.as_str(),
            // Without a file for this system, nothing can load.
            (Some(false), Some(true)) if !self.files.is_empty() => State::Withheld.as_str(),
            (Some(false), _) => State::Refused.as_str(),
        }
    }

    /// Compares the result with the prediction.
    pub(super) fn agreement(&self, predicted: &Cell) -> Agreement {
        let installs = match predicted.state {
            State::Loads | State::Breaks | State::Unknown | State::LoadsOnSome => true,
            State::Withheld | State::Refused => false,
            State::Absent => return Agreement::Untried,
        };
        match self.installs {
            Some(own) if own != installs => return Agreement::Miss,
            _ if !self.problem.is_empty() => return Agreement::Untried,
            _ => {}
        }
        let agrees = match (predicted.state, self.loads()) {
            (State::Unknown | State::Refused | State::Absent, _) => Some(true),
            (_, None) => None,
            (State::Loads | State::Withheld, Some(loads)) => Some(loads),
            (State::Breaks, Some(loads)) => Some(!loads),
            (State::LoadsOnSome, Some(_)) => Some(self.fails_only_on_processor()),
        };
        match agrees {
            Some(false) => Agreement::Miss,
            Some(true) if self.installs.is_some() => Agreement::Hit,
            _ => Agreement::Undecided,
        }
    }

    /// Returns whether only the processor prevents files from loading.
    fn fails_only_on_processor(&self) -> bool {
        self.files.iter().all(|file| file.ok != Some(false) || file.needs_newer_processor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(installs: Option<bool>, files: &[Option<bool>]) -> Observed {
        let file = |ok: &Option<bool>| LoadedFile {
            path: "a.so".to_owned(),
            how: "dlopen".to_owned(),
            ok: *ok,
            words: String::new(),
            supplied: Vec::new(),
        };
        Observed { installs, files: files.iter().map(file).collect(), ..Observed::default() }
    }

    #[test]
    fn each_prediction_agrees_only_with_its_own_results() {
        use Agreement::{Hit, Miss, Undecided, Untried};
        let (yes, no) = (Some(true), Some(false));
        let seen = [
            observed(yes, &[yes, yes]),
            observed(yes, &[yes, no, None]),
            observed(yes, &[yes, None]),
            observed(no, &[yes]),
            observed(no, &[no]),
            observed(None, &[yes]),
        ];
        let expected = [
            (State::Loads, [Hit, Miss, Undecided, Miss, Miss, Undecided]),
            (State::Breaks, [Miss, Hit, Undecided, Miss, Miss, Miss]),
            (State::Unknown, [Hit, Hit, Hit, Miss, Miss, Undecided]),
            (State::LoadsOnSome, [Hit, Miss, Undecided, Miss, Miss, Undecided]),
            (State::Withheld, [Miss, Miss, Miss, Hit, Miss, Undecided]),
            (State::Refused, [Miss, Miss, Miss, Hit, Hit, Undecided]),
            (State::Absent, [Untried; 6]),
        ];
        for (state, agreements) in expected {
            let cell = Cell { state, reason: String::new(), blocker: None };
            for (seen, agreement) in seen.iter().zip(agreements) {
                assert_eq!(seen.agreement(&cell), agreement, "{state:?} {seen:?}");
            }
        }
    }

    #[test]
    fn a_wheel_without_files_for_the_system_would_not_load() {
        let (windows, stricter) =
            (observed(Some(false), &[]), observed(Some(false), &[Some(true)]));
        assert_eq!(windows.as_str(), State::Refused.as_str());
        assert_eq!(stricter.as_str(), State::Withheld.as_str());
    }

    #[test]
    fn a_newer_processor_explains_only_its_own_failure() {
        let on_some = Cell { state: State::LoadsOnSome, reason: String::new(), blocker: None };
        let with = |words: &str| {
            let mut seen = observed(Some(true), &[Some(true), Some(false)]);
            words.clone_into(&mut seen.files[1].words);
            seen.agreement(&on_some)
        };
        assert_eq!(with("a.so: CPU ISA level is lower than required"), Agreement::Hit);
        assert_eq!(with("killed by signal 4 (SIGILL)"), Agreement::Hit);
        assert_eq!(with("killed by signal 11 (SIGSEGV)"), Agreement::Miss);
        assert_eq!(with("a.so: undefined symbol: nowhere"), Agreement::Miss);
    }

    #[test]
    fn a_promised_library_that_the_image_lacks_is_undecided() {
        let with = |words: &str| {
            let mut seen = observed(Some(true), &[Some(false)]);
            words.clone_into(&mut seen.files[0].words);
            seen.on_promised(|name| name == "libatomic.so.1").loads()
        };
        let lacks = "cannot open shared object file: No such file or directory";
        assert_eq!(with(&format!("libatomic.so.1: {lacks}")), None);
        let program =
            format!("node: error while loading shared libraries: libatomic.so.1: {lacks}");
        assert_eq!(with(&program), None);
        let musl =
            "Error loading shared library libatomic.so.1: No such file or directory (needed by x)";
        assert_eq!(with(musl), None);
        assert_eq!(with(&format!("libgomp.so.1: {lacks}")), Some(false));
        assert_eq!(with("x.so: undefined symbol: libatomic.so.1"), Some(false));
    }

    #[test]
    fn a_wheel_without_loaded_files_is_undecided() {
        let broken = Observed { problem: "BadZipFile".to_owned(), ..observed(Some(true), &[]) };
        assert_eq!(broken.loads(), None);
        for state in [State::Loads, State::Breaks, State::Unknown, State::LoadsOnSome] {
            let cell = Cell { state, reason: String::new(), blocker: None };
            assert_eq!(broken.agreement(&cell), Agreement::Untried, "{state:?}");
        }
        assert_eq!(observed(Some(true), &[]).loads(), Some(true), "a wheel without machine code");
    }
}
