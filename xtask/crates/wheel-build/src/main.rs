//! The tool as a program of its own, without an xtask crate.

fn main() -> std::process::ExitCode {
    wheel_build::main()
}
