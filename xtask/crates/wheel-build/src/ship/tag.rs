//! Versions in the names of Git tags.

use pep440_rs::Version;

/// The version that `tag` names for `project`: `1.0` or `v1.0`, alone or after `PROJECT-` or `PROJECT/`. `None` for
/// other forms and other projects.
pub(crate) fn version(tag: &str, project: &str) -> Option<Version> {
    let ends = tag.match_indices(['-', '/']).map(|(at, _)| at);
    let prefix = ends.filter(|at| is_name(tag.get(..*at), project)).max();
    let rest = prefix.and_then(|at| tag.get(at + 1..)).unwrap_or(tag);
    let number = rest.strip_prefix('v').unwrap_or(rest);
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

fn is_name(text: Option<&str>, project: &str) -> bool {
    text.is_some_and(|text| wheel_audit::wheel::same_name(text, project))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_alone_or_after_the_projects_name() {
        for (tag, expected) in [
            ("1.0", Some("1.0")),
            ("v1.0.post1", Some("1.0.post1")),
            ("1.0-1", Some("1.0.post1")),
            ("my-demo-1.0", Some("1.0")),
            ("My_Demo-v1.0rc1", Some("1.0rc1")),
            ("my.demo/v1.0", Some("1.0")),
            ("v2!1.0", Some("2!1.0")),
            ("other-1.0", None),
            ("other/v1.0", None),
            ("my-demo", None),
            ("spring", None),
            ("vv1.0", None),
            ("v", None),
            ("v1.0-wheels-test", None),
            ("wheels-latest", None),
            ("", None),
        ] {
            let found = version(tag, "my-demo").map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{tag}");
        }
    }
}
