//! Wheel variants (PEP 825, provisionally accepted on 2026-09-06): a label at the end of the file name, and
//! `variant.json` with its properties.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::context::AuditContext;
use crate::isa::Level;
use crate::policy::Arch;

/// Values by namespace and feature: `x86_64 :: level :: v3`.
type Properties = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The used part of `variant.json`.
#[derive(Deserialize)]
struct File {
    variants: BTreeMap<String, Properties>,
}

/// The text of `variant.json`, if any.
pub(super) fn text<'a>(context: &'a AuditContext<'_>) -> Option<&'a [u8]> {
    let path = format!("{}/variant.json", context.name.as_ref().ok()?.dist_info());
    context.contents()?.texts.get(&path).map(Vec::as_slice)
}

/// The properties of the variant with this label.
///
/// # Errors
/// The reason, if the file is invalid or does not describe exactly this variant.
pub(super) fn properties(text: &[u8], label: &str) -> Result<Properties, String> {
    let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let count = file.variants.len();
    let own = file.variants.into_iter().find(|(name, _)| name == label);
    match own {
        Some((_, properties)) if count == 1 => Ok(properties),
        Some(_) => Err(format!("it describes {count} variants instead of one")),
        None => Err(format!("it does not describe `{label}`")),
    }
}

/// The processor that a variant requires.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// The baseline of the wheel's tags.
    OfTags,
    /// This level.
    Level(Level),
    /// More than the tags, in unknown terms.
    Unknown,
}

/// The processor that the wheel's variant requires.
pub(super) fn processor(context: &AuditContext<'_>, arch: Arch) -> Processor {
    let label = context.name.as_ref().ok().and_then(|name| name.variant.as_ref());
    let Some(label) = label else { return Processor::OfTags };
    let Some(Ok(properties)) = text(context).map(|text| properties(text, label)) else {
        return Processor::Unknown;
    };
    let Some(features) = properties.get(&arch.to_string()) else { return Processor::OfTags };
    let levels = features.get("level").filter(|_| arch == Arch::X86_64 && features.len() == 1);
    let levels: Option<Vec<Level>> = levels.and_then(|values| {
        values.iter().map(|value| format!("x86-64-{value}").parse().ok()).collect()
    });
    // Installers accept a wheel if any of the values matches.
    let lowest = levels.and_then(|all| all.into_iter().reduce(|a, b| if b < a { b } else { a }));
    lowest.map_or(Processor::Unknown, Processor::Level)
}
