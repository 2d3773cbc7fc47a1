//! The tool as a standalone program, without an xtask crate.

fn main() -> std::process::ExitCode {
    wheel_build::main()
}
