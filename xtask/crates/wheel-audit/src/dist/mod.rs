//! The manifest, checksums and documents of a folder of wheels, and their verification.

mod check;
mod documents;
mod manifest;

pub use check::{DistFault, DistProblem, Known, check};
pub use documents::{
    BOM, BOM_VERSION, BUILD_TYPE, DOCUMENTS, PREDICATE_TYPE, PROVENANCE, Role, STATEMENT_TYPE,
    documented, documents_of, escaped, project, wheel_purl,
};
pub use manifest::{
    BaseUsed, Entry, Grafted, Kind, MANIFEST, Manifest, Reproduced, SCHEMA_VERSION, Smoke, Tests,
    WheelBuild,
};
