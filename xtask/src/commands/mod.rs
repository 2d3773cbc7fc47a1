//! One file per subcommand: arguments, plan, a call into the rooms below, a report.

pub mod doctor;
pub mod setup;
