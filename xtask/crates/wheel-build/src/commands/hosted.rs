//! Variables of a hosted run (GitHub's documentation, "Default environment variables").

/// A line of Markdown with links to artifacts and logs of the run; `None` outside of GitHub Actions. `env` reads a
/// variable.
pub(crate) fn links(env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let word = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/._-".contains(c);
        env(name).filter(|value| !value.is_empty() && value.chars().all(plain))
    };
    let (server, repository) = (word("GITHUB_SERVER_URL")?, word("GITHUB_REPOSITORY")?);
    let run = word("GITHUB_RUN_ID")?;
    let url = format!("{server}/{repository}/actions/runs/{run}");
    Some(format!(
        "[Artifacts: wheels, and logs of failed jobs]({url}#artifacts) · [logs of this run]({url})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosted_run_links_to_its_artifacts_and_rejects_unsafe_words() {
        let with = |repository: &str| {
            links(&|name| match name {
                "GITHUB_SERVER_URL" => Some("https://forge.example".to_owned()),
                "GITHUB_REPOSITORY" => Some(repository.to_owned()),
                "GITHUB_RUN_ID" => Some("42".to_owned()),
                _ => None,
            })
        };
        let line = with("own-er/re.po").unwrap_or_default();
        assert!(line.contains("(https://forge.example/own-er/re.po/actions/runs/42#artifacts)"));
        assert_eq!((with("a)b"), with(""), links(&|_| None)), (None, None, None));
    }
}
