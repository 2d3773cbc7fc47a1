//! How strictly this repository's wheels are judged: `[check]` of `wheels.toml`, in the words of
//! the audit.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, RuleOverride, RuleSeverity, Source, Target};
use wheel_audit::UserError;
use wheel_audit::audit::{Asked, FAMILY, Override, Settings, Severity, rules};
use wheel_audit::wheel::Interpreter;

/// From this likeness on, by Jaro and Winkler, a word may be meant.
const LIKE: f64 = 0.8;
/// So many of them are named.
const MAX_NEAR: usize = 3;

/// What `[check]` says of severities. How deep wheels are read is not its business.
///
/// # Errors
/// For an unknown check, with the nearest ones.
pub(crate) fn settings(config: &Config) -> Result<Settings, UserError> {
    let overrides = config.check.overrides.iter().map(known).collect::<Result<_, _>>()?;
    Ok(Settings { publish: config.check.publish, overrides, ..Settings::default() })
}

/// The wheels that `wheels.toml` asks for.
pub(crate) fn asked(config: &Config) -> Asked {
    let folder = |target: &Target| {
        let one = |platform| (target.folder(platform), target.pythons.clone());
        target.platforms.iter().map(one).collect::<Vec<_>>()
    };
    let folders = config.targets.iter().flat_map(folder).collect();
    let project = match &config.source {
        Source::Sdist { name, version, .. } => Some((name.clone(), version.clone())),
        Source::Path { .. } => None,
    };
    let mut may_lack = BTreeMap::new();
    for target in &config.targets {
        for platform in &target.platforms {
            let optional = |it: &Interpreter| !config.requires(*it, target, platform);
            let optional = target.pythons.iter().copied().filter(optional).collect();
            may_lack.insert(target.folder(platform), optional);
        }
    }
    let (unpublished, optional) = (config.unpublished_folders(), config.folders_beside_ci());
    Asked { folders, unpublished, optional, may_lack, project, problems: Vec::new() }
}

fn known(each: &RuleOverride) -> Result<Override, UserError> {
    let code = each.code.get_ref();
    if !words().contains(code.as_str()) {
        let message =
            format!("{}: `check.override` names `{code}`, and there is no such check", each.place);
        return Err(UserError::new(message).hint(hint(code)));
    }
    Ok(Override {
        rule: code.clone(),
        path: each.path.as_ref().map(|path| path.0.clone()),
        severity: severity(each.severity),
        reason: each.reason.0.clone(),
    })
}

/// Everything that names rules: codes, names, families.
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
        "give a code such as `ELF009`, as reports show it, or a family such as `ELF`".to_owned()
    } else {
        format!("near it are {}", near.join(", "))
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
    fn what_is_set_reaches_the_audit() {
        let config = read(
            "[check]\npublish = true\n[[check.override]]\ncode = \"ELF009\"\npath = \"**/*.so\"\n\
             severity = \"ignored\"\nreason = \" its JIT needs it \"\n[[check.override]]\n\
             code = \"TAG\"\nseverity = \"note\"\nreason = \"two\"\n",
        );
        let settings = settings(&config.unwrap()).unwrap();
        assert!(settings.publish);
        let told = |each: &Override| {
            let path = each.path.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {path} {} {}", each.rule, each.severity.as_str(), each.reason)
        };
        let told: Vec<_> = settings.overrides.iter().map(told).collect();
        assert_eq!(told, ["ELF009 **/*.so ignored its JIT needs it", "TAG  note two"]);
    }

    #[test]
    fn a_code_that_there_is_not_is_named_with_its_line_and_near_ones() {
        let with = |code: &str| {
            let check = format!(
                "[[check.override]]\nreason = \"r\"\nseverity = \"note\"\ncode = \"{code}\"\n"
            );
            settings(&read(&check).unwrap()).unwrap_err()
        };
        let near = with("executable-stak");
        assert!(near.message.contains("line 12"), "{near}");
        for (code, wanted) in [
            ("executable-stak", "`executable-stack`"),
            ("elf009", "`ELF009`"),
            ("W", "such as `ELF009`"),
        ] {
            assert!(with(code).hint.unwrap().contains(wanted), "{code}");
        }
    }

    #[test]
    fn patterns_reasons_and_severities_are_read_strictly() {
        let wrong =
            |lines: &str| read(&format!("[[check.override]]\n{lines}")).unwrap_err().to_string();
        for (lines, part) in [
            ("code = \"ELF\"\nseverity = \"note\"\nreason = \" \"\n", "`reason` says why"),
            ("code = \"ELF\"\nseverity = \"note\"\n", "reason"),
            ("code = \"ELF\"\nseverity = \"mild\"\nreason = \"r\"\n", "mild"),
            (
                "code = \"ELF\"\nseverity = \"note\"\nreason = \"r\"\npath = \"a***\"\n",
                "no pattern",
            ),
            ("code = \"ELF\"\nseverity = \"note\"\nreason = \"r\"\npaht = \"a\"\n", "paht"),
        ] {
            let text = wrong(lines);
            assert!(text.contains(part) && text.contains("line "), "{text}");
        }
    }
}
