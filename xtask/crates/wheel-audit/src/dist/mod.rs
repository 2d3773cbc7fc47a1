//! The manifest and the checksums of a folder of wheels, and whether the files still are what these say.

mod check;
mod manifest;

pub use check::{DistFault, DistProblem, Known, check};
pub use manifest::{
    BaseUsed, Entry, Grafted, Kind, MANIFEST, Manifest, Reproduced, SCHEMA_VERSION, Smoke, Tests,
    WheelBuild,
};
