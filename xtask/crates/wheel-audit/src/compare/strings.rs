//! The strings in two runs of bytes, as `strings` prints them.

use std::collections::BTreeMap;

/// Minimum number of characters of a string.
const LEAST: usize = 4;
/// Maximum number of pairs that are looked at.
const MAX_PAIRS: usize = 50;

/// How the strings on both sides differ.
pub(super) enum Strings {
    /// They are the same, in the same order.
    Same,
    /// They are the same in another order; the first ones that differ.
    Moved(String, String),
    /// Some are on one side alone: in pairs, as long as both sides have some.
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

/// Strings of the one side and of the other that the opposite side lacks.
fn pairs(left: &[&[u8]], right: &[&[u8]]) -> Vec<(String, String)> {
    let (mut left_only, mut right_only) = (without(left, right), without(right, left));
    let length = left_only.len().max(right_only.len()).min(MAX_PAIRS);
    left_only.resize(length, b"");
    right_only.resize(length, b"");
    left_only.iter().zip(&right_only).map(|(left, right)| (text(left), text(right))).collect()
}

/// The strings of `these` that `others` have less often, in order.
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
    bytes.split(move |byte| !is_printable(byte)).filter(|run| run.len() >= LEAST)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
