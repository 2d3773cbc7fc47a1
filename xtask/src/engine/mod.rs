//! Driving the container engine: what this machine has and lacks, and how it gets it.

pub mod doctor;
pub mod setup;
