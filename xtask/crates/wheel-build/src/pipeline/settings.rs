//! Settings of the audit from `[check]` of `wheels.toml`.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, RuleOverride, RuleSeverity, Source, Target};
use wheel_audit::UserError;
use wheel_audit::audit::{FAMILY, Override, RequestedWheels, Settings, Severity, rules};
use wheel_audit::wheel::Interpreter;

/// Minimum similarity (Jaro-Winkler) of a suggested word.
const LIKE: f64 = 0.8;
/// Maximum number of suggestions.
const MAX_NEAR: usize = 3;

/// Severities from `[check]`. The depth of the audit is a separate setting.
///
/// # Errors
/// If a code is unknown; the error suggests similar ones.
pub(crate) fn settings(config: &Config) -> Result<Settings, UserError> {
    let overrides = config.check.overrides.iter().map(known).collect::<Result<_, _>>()?;
    Ok(Settings { publish: config.check.publish, overrides, ..Settings::default() })
}

/// The wheels that `wheels.toml` requests.
pub(crate) fn requested(config: &Config) -> RequestedWheels {
    let folder = |target: &Target| {
        let one = |platform| (target.folder(platform), target.pythons.clone());
        target.platforms.iter().map(one).collect::<Vec<_>>()
    };
    let folders = config.targets.iter().flat_map(folder).collect();
    let project = match &config.source {
        Source::Sdist { name, version, .. } => Some((name.clone(), version.clone())),
        Source::Path { .. } => None,
    };
    let mut optional_interpreters = BTreeMap::new();
    for target in &config.targets {
        for platform in &target.platforms {
            let optional = |it: &Interpreter| !config.requires(*it, target, platform);
            let optional = target.pythons.iter().copied().filter(optional).collect();
            optional_interpreters.insert(target.folder(platform), optional);
        }
    }
    let (unpublished, optional) = (config.unpublished_folders(), config.folders_outside_ci());
    RequestedWheels {
        folders,
        unpublished,
        optional,
        optional_interpreters,
        project,
        problems: Vec::new(),
    }
}

fn known(each: &RuleOverride) -> Result<Override, UserError> {
    let code = each.code.get_ref();
    if !words().contains(code.as_str()) {
        let message = format!("{}: unknown rule code `{code}` in `check.override`", each.place);
        return Err(UserError::new(message).hint(hint(code)));
    }
    Ok(Override {
        rule: code.clone(),
        path: each.path.as_ref().map(|path| path.0.clone()),
        severity: severity(each.severity),
        reason: each.reason.0.clone(),
    })
}

/// Codes, names and families of all rules.
fn words() -> BTreeSet<&'static str> {
    rules()
        .flat_map(|rule| [rule.code.get(..FAMILY).unwrap_or(rule.code), rule.code, rule.name])
        .collect()
}

fn hint(code: &str) -> String {
    let likeness = |word: &str| strsim::jaro_winkler(&word.to_lowercase(), &code.to_lowercase());
    let mut near: Vec<_> = words().into_iter().map(|word| (likeness(word), word)).collect();
    near.retain(|(likeness, _)| *likeness >= LIKE);
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<_> = near.iter().take(MAX_NEAR).map(|(_, word)| format!("`{word}`")).collect();
    if near.is_empty() {
        "use a code from a report, e.g. `ELF009`, or a family, e.g. `ELF`".to_owned()
    } else {
        format!("similar: {}", near.join(", "))
    }
}

fn severity(word: RuleSeverity) -> Severity {
    match word {
        RuleSeverity::Error => Severity::Error,
        RuleSeverity::Warning => Severity::Warning,
        RuleSeverity::Note => Severity::Note,
        RuleSeverity::Ignored => Severity::Ignored,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]

    use camino::Utf8Path;

    use super::*;
    use crate::config;

    fn read(check: &str) -> Result<Config, impl std::error::Error> {
        let text = format!(
            "[source]\npath = \".\"\n[build]\npythons = [\"cp311\"]\n[[target]]\nname = \"d\"\n\
             image = \"debian:12\"\nplatforms = [\"linux/amd64\"]\n{check}"
        );
        config::parse_text(Utf8Path::new("wheels.toml"), &text)
    }

    #[test]
    fn settings_reach_the_audit() {
        let config = read(
            "[check]\npublish = true\n[[check.override]]\ncode = \"ELF009\"\npath = \"**/*.so\"\n\
             severity = \"ignored\"\nreason = \" its JIT needs it \"\n[[check.override]]\n\
             code = \"TAG\"\nseverity = \"note\"\nreason = \"two\"\n",
        );
        let settings = settings(&config.unwrap()).unwrap();
        assert!(settings.publish);
        let text = |each: &Override| {
            let path = each.path.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {path} {} {}", each.rule, each.severity.as_str(), each.reason)
        };
        let overrides: Vec<_> = settings.overrides.iter().map(text).collect();
        assert_eq!(overrides, ["ELF009 **/*.so ignored its JIT needs it", "TAG  note two"]);
    }

    #[test]
    fn an_unknown_code_is_reported_with_its_line_and_similar_codes() {
        let with = |code: &str| {
            let check = format!(
                "[[check.override]]\nreason = \"r\"\nseverity = \"note\"\ncode = \"{code}\"\n"
            );
            settings(&read(&check).unwrap()).unwrap_err()
        };
        let near = with("executable-stak");
        assert!(near.message.contains("line 12"), "{near}");
        for (code, wanted) in
            [("executable-stak", "`executable-stack`"), ("elf009", "`ELF009`"), ("W", "`ELF009`")]
        {
            assert!(with(code).hint.unwrap().contains(wanted), "{code}");
        }
    }

    #[test]
    fn patterns_reasons_and_severities_are_validated() {
        let wrong =
            |lines: &str| read(&format!("[[check.override]]\n{lines}")).unwrap_err().to_string();
        for (lines, part) in [
            ("code = \"ELF\"\nseverity = \"note\"\nreason = \" \"\n", "check.override[0].reason"),
            ("code = \"ELF\"\nseverity = \"note\"\n", "reason"),
            ("code = \"ELF\"\nseverity = \"mild\"\nreason = \"r\"\n", "check.override[0].severity"),
            (
                "code = \"ELF\"\nseverity = \"note\"\nreason = \"r\"\npath = \"a***\"\n",
                "check.override[0].path",
            ),
            (
                "code = \"ELF\"\nseverity = \"note\"\nreason = \"r\"\npaht = \"a\"\n",
                "check.override[0].paht",
            ),
        ] {
            let text = wrong(lines);
            assert!(text.contains(part) && text.contains("line "), "{text}");
        }
    }
}
