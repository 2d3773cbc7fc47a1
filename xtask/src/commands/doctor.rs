//! stub
/// x
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {}
/// x
pub fn run(_: &DoctorArgs) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
