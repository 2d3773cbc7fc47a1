//! The projects that METADATA requires, and the libraries that they may provide, by name.

use super::context::AuditContext;

/// A project that METADATA requires.
pub(super) struct Requirement<'a> {
    pub(super) project: &'a str,
    /// True if only an extra requires it.
    pub(super) is_extra: bool,
}

impl<'a> Requirement<'a> {
    /// All requirements. Those without an extra come first.
    pub(super) fn all(context: &'a AuditContext<'_>) -> Vec<Self> {
        let metadata = context.contents().and_then(|all| all.metadata.as_ref()?.as_ref().ok());
        let lines = metadata.map(|metadata| metadata.requires_dist.as_slice()).unwrap_or_default();
        let mut all: Vec<Self> = lines.iter().map(|line| Self::parse(line)).collect();
        all.sort_by_key(|each| each.is_extra);
        all
    }

    /// Returns whether the project has the name of a package folder: `nvidia` for `nvidia-cublas`.
    pub(super) fn is_named_after(&self, folder: &str) -> bool {
        let (project, folder) = (normal(self.project), normal(folder));
        project.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// Returns whether the project has the name of a library: `foo`, `foo-bin` or `libfoo` for `libfoo_core.so.1`.
    pub(super) fn is_named_like(&self, library: &str) -> bool {
        /// Minimum length of a name. Shorter ones match by accident.
        const MIN_LENGTH: usize = 4;
        let library = normal(library.split(".so").next().unwrap_or(library));
        let plain = |name: &str| name.strip_prefix("lib").unwrap_or(name).to_owned();
        let (project, library) = (plain(&normal(self.project)), plain(&library));
        let begins = |long: &str, short: &str| {
            short.len() >= MIN_LENGTH
                && long
                    .strip_prefix(short)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        begins(&project, &library) || begins(&library, &project)
    }

    /// Parses a line up to a version, extra, URL or marker (`PyPA`, "Dependency specifiers").
    fn parse(line: &'a str) -> Self {
        let is_name = |each: char| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.');
        let line = line.trim();
        let end = line.find(|each| !is_name(each)).unwrap_or(line.len());
        let is_extra = line.split_once(';').is_some_and(|(_, marker)| marker.contains("extra"));
        Self { project: line.get(..end).unwrap_or_default(), is_extra }
    }
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_whole_words() {
        let is_like = |project, library: &str| {
            Requirement { project, is_extra: false }.is_named_like(library)
        };
        assert!(is_like("casadi", "libcasadi.so.3.7") && is_like("OpenVINO", "libopenvino_c.so"));
        assert!(is_like("libfoobar-bin", "libfoobar.so") && is_like("foobar", "libfoobar.so.1"));
        assert!(!is_like("openblas", "libopen.so") && !is_like("av", "libav.so.1"));
        assert!(!is_like("numpy", "libopenblas.so.0"));
    }
}
