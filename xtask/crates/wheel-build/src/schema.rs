//! The JSON schema of `wheels.toml`, for editors.

/// Generated from the types of the configuration (`config/schema_tests.rs`).
pub const TEXT: &str = include_str!("../schema/wheels.schema.json");
