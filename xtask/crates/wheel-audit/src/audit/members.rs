//! The members of a wheel that the audit reads as text.

/// The top folder of a path, if it is a `.dist-info`.
pub(super) fn dist_info(path: &str) -> Option<&str> {
    path.split_once('/').map(|(folder, _)| folder).filter(|folder| folder.ends_with(".dist-info"))
}

/// The files of `.dist-info` that checks use.
const TEXTS: [&str; 7] = [
    "/WHEEL",
    "/METADATA",
    "/RECORD",
    "/entry_points.txt",
    "/top_level.txt",
    "/direct_url.json",
    "/variant.json",
];

pub(super) fn wants_text(path: &str) -> bool {
    dist_info(path).is_some_and(|folder| TEXTS.contains(&&path[folder.len()..]))
}

/// Returns whether it is an SBOM in JSON (PEP 770).
pub(super) fn is_sbom(path: &str) -> bool {
    let rest = dist_info(path).and_then(|folder| path.get(folder.len()..));
    rest.is_some_and(|rest| rest.starts_with("/sboms/") && rest.strip_suffix(".json").is_some())
}
