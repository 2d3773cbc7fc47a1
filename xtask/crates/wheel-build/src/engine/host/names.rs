//! The names of the settings that containers inherit.

use glob::Pattern;

/// Inherited environment variables, as shell patterns. `scripts/trust.sh` has the same list and accepts no
/// others (a test compares them). Variables that contain a path of this machine, start one of its
/// programs, or only publish (`CARGO_REGISTRY_TOKEN`) are excluded.
pub(super) const INHERITED: [&str; 46] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_TIMEOUT",
    "PIP_RETRIES",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_*",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INSECURE_HOST",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_PYPY_INSTALL_MIRROR",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "PYTHON_SOURCE_MIRROR",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "CARGO_HTTP_PROXY",
    "CARGO_HTTP_TIMEOUT",
    "CARGO_HTTP_MULTIPLEXING",
    "CARGO_HTTP_CHECK_REVOKE",
    "CARGO_HTTP_LOW_SPEED_LIMIT",
    "CARGO_NET_RETRY",
    "CARGO_NET_OFFLINE",
    "CARGO_REGISTRIES_*_INDEX",
    "CARGO_REGISTRIES_*_PROTOCOL",
    "CARGO_REGISTRIES_*_TOKEN",
];

/// Returns whether the environment variable `name` is inherited.
pub(super) fn inherited(name: &str) -> bool {
    // Only these names are valid in a shell, and trust.sh exports them.
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && INHERITED
            .iter()
            .any(|known| Pattern::new(known).is_ok_and(|pattern| pattern.matches(name)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The patterns of the first `case` in `trust.sh`, which a settings file may set.
    fn accepted() -> BTreeSet<&'static str> {
        let script = include_str!("../../../../../../scripts/trust.sh");
        let start = script.split_once("case ${trust_line%%=*} in").map_or("", |(_, rest)| rest);
        let patterns = start.split_once(')').map_or("", |(patterns, _)| patterns);
        patterns.split(['|', '\\', ' ', '\n']).filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn the_containers_accept_exactly_the_inherited_variables() {
        assert_eq!(accepted(), INHERITED.into_iter().collect());
    }

    #[test]
    fn credentials_are_inherited_without_publishing_tokens() {
        for name in ["UV_INDEX_CORP_PASSWORD", "CARGO_REGISTRIES_CORP_TOKEN", "UV_OFFLINE"] {
            assert!(inherited(name), "{name}");
        }
        for name in [
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_CORP_CREDENTIAL_PROVIDER",
            "CARGO_HTTP_CAINFO",
            "LD_PRELOAD",
            "UV_PUBLISH_TOKEN",
        ] {
            assert!(!inherited(name), "{name}");
        }
    }
}
