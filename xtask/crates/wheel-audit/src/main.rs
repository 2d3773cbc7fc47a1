//! `wheel-audit`: see [`wheel_audit::cli`].

fn main() -> std::process::ExitCode {
    wheel_audit::cli::main()
}
