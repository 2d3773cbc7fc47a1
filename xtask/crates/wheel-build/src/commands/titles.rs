//! Names of jobs in messages.

/// `debian12 linux/amd64 cp311, cp313; debian13 linux/amd64 cp313`, of sorted jobs like `debian12 linux/amd64 cp311`.
pub(super) fn titles<S: AsRef<str>>(jobs: impl IntoIterator<Item = S>) -> String {
    let (mut text, mut last) = (String::new(), String::new());
    for job in jobs {
        let job = job.as_ref();
        let (place, interpreter) = job.rsplit_once(' ').unwrap_or(("", job));
        if place == last {
            text.extend([", ", interpreter]);
        } else {
            text.extend([if text.is_empty() { "" } else { "; " }, job]);
            place.clone_into(&mut last);
        }
    }
    text
}
