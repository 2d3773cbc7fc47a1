//! Names of jobs in messages.

/// Target, platform and interpreter of a job.
pub(super) type Title = [String; 3];

/// `debian12 linux/amd64 cp311, cp313; debian13 linux/amd64 cp313`
pub(super) fn titles(jobs: impl IntoIterator<Item = Title>) -> String {
    let mut places: Vec<(String, String)> = Vec::new();
    for [target, platform, interpreter] in jobs {
        let place = format!("{target} {platform}");
        match places.last_mut() {
            Some((last, pythons)) if *last == place => pythons.extend([", ", &interpreter]),
            _ => places.push((place, interpreter)),
        }
    }
    let places: Vec<_> =
        places.iter().map(|(place, pythons)| format!("{place} {pythons}")).collect();
    places.join("; ")
}
