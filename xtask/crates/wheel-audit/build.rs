//! Sets `XTASK_RULES`, the version of the rules, for the program.

#[path = "build/rules.rs"]
mod rules;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let source = Path::new("src");
    for module in rules::MODULES {
        println!("cargo::rerun-if-changed=src/{module}");
    }
    println!("cargo::rustc-env=XTASK_RULES={}", rules::version(source)?);
    Ok(())
}
