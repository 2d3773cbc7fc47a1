//! Compares the strings in two byte sequences, as `strings` prints them.

use std::collections::BTreeMap;

/// Minimum length of a string, in characters.
const MIN_LENGTH: usize = 4;
/// Maximum number of compared pairs.
const MAX_PAIRS: usize = 50;

/// The difference of the strings on both sides.
pub(super) enum Strings {
    /// The same strings in the same order.
    Same,
    /// The same strings in another order, with the first different pair.
    Moved(String, String),
    /// Strings on only one side, in pairs.
    Other(Vec<(String, String)>),
}

pub(super) fn strings(first: &[u8], second: &[u8]) -> Strings {
    let (left, right): (Vec<_>, Vec<_>) = (runs(first).collect(), runs(second).collect());
    let Some(at) = left.iter().zip(&right).position(|(left, right)| left != right) else {
        if left.len() == right.len() {
            return Strings::Same;
        }
        return Strings::Other(pairs(&left, &right));
    };
    let pairs = pairs(&left, &right);
    if pairs.is_empty() && left.len() == right.len() {
        return Strings::Moved(text(left[at]), text(right[at]));
    }
    Strings::Other(pairs)
}

/// The strings of each side that the other side lacks.
fn pairs(left: &[&[u8]], right: &[&[u8]]) -> Vec<(String, String)> {
    let (mut left_only, mut right_only) = (without(left, right), without(right, left));
    let length = left_only.len().max(right_only.len()).min(MAX_PAIRS);
    left_only.resize(length, b"");
    right_only.resize(length, b"");
    left_only.iter().zip(&right_only).map(|(left, right)| (text(left), text(right))).collect()
}

/// The strings of `these` that occur less often in `others`, in order.
fn without<'a>(these: &[&'a [u8]], others: &[&[u8]]) -> Vec<&'a [u8]> {
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for other in others {
        *counts.entry(other).or_default() += 1;
    }
    let mut left = Vec::new();
    for &each in these {
        match counts.get_mut(each) {
            Some(count) if *count > 0 => *count -= 1,
            _ => left.push(each),
        }
    }
    left
}

fn runs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_printable = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\t';
    bytes.split(move |byte| !is_printable(byte)).filter(|run| run.len() >= MIN_LENGTH)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
