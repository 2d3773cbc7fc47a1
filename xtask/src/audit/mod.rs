//! stub
use camino::Utf8Path;
/// x
#[derive(Debug, Clone, serde::Serialize)]
pub struct Audit {
    /// x
    pub findings: Vec<Finding>,
}
/// x
#[derive(Debug, Clone, serde::Serialize)]
pub struct Finding {
    /// x
    pub code: String,
    /// x
    pub severity: Severity,
    /// x
    pub message: String,
    /// x
    pub cure: String,
}
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Severity {
    /// x
    Error,
    /// x
    Note,
}
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// x
    Pass,
    /// x
    Fail,
}
/// x
pub struct Promise {
    /// x
    pub platform_tag: Option<crate::policy::PlatformTag>,
    /// x
    pub arch: crate::policy::Arch,
    /// x
    pub interpreter: Option<crate::wheel::Interpreter>,
    /// x
    pub native: bool,
}
/// x
pub fn audit_wheel(_: &Utf8Path, _: &Promise) -> Result<Audit, std::io::Error> {
    Ok(Audit { findings: vec![] })
}
impl Audit {
    /// x
    pub fn verdict(&self) -> Verdict {
        Verdict::Pass
    }
    /// x
    pub fn floor_tag(&self, _: crate::policy::Arch) -> String {
        String::new()
    }
    /// x
    pub fn floor_text(&self) -> String {
        String::new()
    }
    /// x
    pub fn is_pure(&self) -> bool {
        false
    }
}
