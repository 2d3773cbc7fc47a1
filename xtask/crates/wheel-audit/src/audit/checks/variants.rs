//! Checks the file name and `variant.json` of wheel variants (see `audit/variant.rs`).

use super::{AuditContext, Check, Finding, Rule};
use crate::audit::variant;

const VARIANT: Rule = Rule::warning(
    "TAG012",
    "wheel-variant",
    "publish a wheel without a label as well; installers and indexes without support for PEP 825 reject the name",
)
.refused_by_index();
const METADATA: Rule = Rule::warning(
    "TAG013",
    "variant-metadata",
    "build the variant with a tool that writes its label and `variant.json` together",
);

pub(super) const CHECK: Check = Check { rules: &[VARIANT, METADATA], find };

fn find(context: &AuditContext<'_>, findings: &mut Vec<Finding>) {
    let Ok(name) = &context.name else { return };
    let (file, text) = (&context.facts.file, variant::text(context));
    let Some(label) = &name.variant else {
        if text.is_some() {
            let message = "has `variant.json`, but the file name has no variant label";
            findings.push(METADATA.broken(file, message));
        }
        return;
    };
    let message = format!("is the variant `{label}` of the wheel (PEP 825, which is provisional)");
    findings.push(VARIANT.broken(file, message));
    if context.contents().is_none() {
        return;
    }
    let fault = match text.map(|text| variant::properties(text, label)) {
        None => Some("missing".to_owned()),
        Some(Err(reason)) => Some(reason),
        Some(Ok(_)) => None,
    };
    findings.extend(fault.map(|reason| METADATA.broken(file, format!("`variant.json`: {reason}"))));
}
