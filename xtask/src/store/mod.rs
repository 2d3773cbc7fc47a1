//! `dist/`: what was built and proved, and the only folder that later commands read.
//!
//! Architecture invariant: files enter it by rename alone, and a journal makes the renames of one
//! wheel and its metadata a single step: whenever xtask is killed, `dist/` holds whole, audited
//! files, and the next run finishes what was begun.

mod check;
mod commit;
mod lock;
mod manifest;

pub use check::{DistFault, DistProblem, Known, check};
pub use commit::{Change, Store, StoreError};
pub use lock::{Lock, LockError};
pub use manifest::{BaseUsed, Entry, Kind, MANIFEST, Manifest, SCHEMA_VERSION, Smoke, WheelBuild};

#[cfg(test)]
mod tests;
