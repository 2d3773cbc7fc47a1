//! Removes inherited secrets from logs and messages.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::HostSettings;
use super::indexes::encoded;

/// Minimum length of a secret that is hidden everywhere. A shorter one is hidden only as a separate word, because it
/// would match parts of ordinary words.
const SHORT: usize = 6;
/// The replacement for a secret.
const HIDDEN: &str = "****";

/// `text` without the `needles`.
pub(super) fn redact(text: &str, needles: &[String]) -> String {
    let mut clean = text.to_owned();
    for needle in needles.iter().filter(|needle| !needle.is_empty()) {
        if clean.contains(needle.as_str()) {
            clean = if needle.len() < SHORT {
                without_word(&clean, needle)
            } else {
                clean.replace(needle, HIDDEN)
            };
        }
    }
    clean
}

/// `text` without `word`, unless a letter or digit is beside it.
fn without_word(text: &str, word: &str) -> String {
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    let mut before = None;
    while let Some((head, tail)) = rest.split_once(word) {
        let left = head.chars().next_back().or(before);
        let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_word = !joined(left) && !joined(tail.chars().next());
        clean.push_str(head);
        clean.push_str(if is_word { HIDDEN } else { word });
        before = word.chars().next_back();
        rest = tail;
    }
    clean + rest
}

/// The texts to hide, longest first, so that hiding a part does not reveal the rest.
pub(super) fn needles(settings: &HostSettings) -> Vec<String> {
    let mut needles = Vec::new();
    let texts = settings.settings.values().chain([&settings.apt_conf, &settings.cargo_config]);
    for word in texts.flat_map(|text| text.split([' ', '\t', '\n', '"', '\''])) {
        url(word, &mut needles);
    }
    for (name, value) in &settings.settings {
        let beside = |one: &str, other: &str| {
            let other = name.strip_suffix(one).map(|name| format!("{name}{other}"));
            other.and_then(|name| settings.settings.get(&name))
        };
        let user = beside("_PASSWORD", "_USERNAME");
        if name.ends_with("_USERNAME") && beside("_USERNAME", "_PASSWORD").is_none() {
            // A token may replace the user.
            credentials("", value, &mut needles);
        }
        if name.ends_with("_PASSWORD") || name.ends_with("_TOKEN") {
            credentials(user.map_or("", String::as_str), value, &mut needles);
        }
    }
    netrc(&settings.netrc, &mut needles);
    netrc(&settings.apt_auth, &mut needles);
    if let Ok(table) = settings.cargo_config.parse::<toml::Table>() {
        tokens(&toml::Value::Table(table), &mut needles);
    }
    needles.retain(|needle| !needle.is_empty());
    needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    needles.dedup();
    needles
}

/// A password in every form that tools print, alone and with its user.
fn credentials(user: &str, password: &str, needles: &mut Vec<String>) {
    if password.is_empty() {
        return;
    }
    let (user, plain) = (decoded(user), decoded(password));
    for password in [password, plain.as_str()] {
        needles.push(password.to_owned());
        needles.push(encoded(password));
        // `Authorization: Basic` (RFC 7617).
        let pair = format!("{user}:{password}");
        let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
        needles.extend(engines.iter().map(|engine| engine.encode(&pair)));
    }
}

/// A URL, its authority with and without credentials, and the credentials alone.
fn url(word: &str, needles: &mut Vec<String>) {
    // Proxies often lack a scheme, also with credentials; an index may have a name.
    let rest = match word.split_once("://") {
        Some((_, rest)) => rest,
        None if word.contains('@') => word,
        None => return,
    };
    let authority = rest.split(['/', '?', ';']).next().unwrap_or(rest);
    let mut parts = vec![word.trim_end_matches([';', '/']), authority];
    // A parameter may be a token.
    for part in rest.split_once('?').into_iter().flat_map(|(_, query)| query.split(['&', ';'])) {
        parts.extend([part, part.split_once('=').map_or("", |(_, value)| value)]);
    }
    if let Some((user_info, host)) = authority.rsplit_once('@') {
        parts.push(host);
        match user_info.split_once(':') {
            Some((user, password)) if !password.is_empty() => credentials(user, password, needles),
            // A token may replace the user.
            _ => credentials("", user_info.trim_end_matches(':'), needles),
        }
    }
    // A short host such as `proxy` would match parts of ordinary words.
    needles.extend(parts.into_iter().filter(|part| part.len() >= SHORT).map(str::to_owned));
}

/// The passwords of a `.netrc` (GNU inetutils manual, "The .netrc file"), which apt's `auth.conf` resembles. Each
/// in Python's interpretation, and in that of parsers without quotes.
fn netrc(text: &str, needles: &mut Vec<String>) {
    let mut rest = text;
    let mut user = Token::default();
    while let Some(token) = token(&mut rest) {
        match &*token.value {
            "machine" | "default" => user = Token::default(),
            "login" => user = self::token(&mut rest).unwrap_or_default(),
            "password" | "account" => {
                let Some(secret) = self::token(&mut rest) else { return };
                credentials(&user.value, &secret.value, needles);
                for word in secret.raw.split_whitespace() {
                    credentials(user.raw, word, needles);
                    credentials(&user.value, word.trim_matches('"'), needles);
                }
            }
            word if word.starts_with('#') => {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            }
            _ => {}
        }
    }
}

/// A word of a `.netrc`.
#[derive(Default)]
struct Token<'a> {
    /// As written.
    raw: &'a str,
    /// Its value.
    value: String,
}

/// Takes the next word from `rest`. A quoted word may contain spaces, and a backslash escapes the next character
/// (Python, `netrc._netrclex`).
fn token<'a>(rest: &mut &'a str) -> Option<Token<'a>> {
    let text = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    if text.is_empty() {
        return None;
    }
    let quoted = text.starts_with('"');
    let mut chars = text.char_indices().skip(usize::from(quoted));
    let (mut value, mut end) = (String::new(), text.len());
    while let Some((at, char)) = chars.next() {
        match char {
            '"' if quoted => {
                end = at + 1;
                break;
            }
            ' ' | '\t' | '\r' | '\n' if !quoted => {
                end = at;
                break;
            }
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            _ => value.push(char),
        }
    }
    let (raw, after) = text.split_at(end);
    *rest = after;
    Some(Token { raw, value })
}

/// Words in the key of a secret setting.
const SECRET_KEYS: [&str; 6] = ["token", "password", "passwd", "secret", "credential", "api_key"];

/// The values in cargo's configuration with a secret key.
fn tokens(value: &toml::Value, needles: &mut Vec<String>) {
    let toml::Value::Table(table) = value else { return };
    for (key, value) in table {
        let key = key.to_lowercase().replace('-', "_");
        // `credential-provider` is a program.
        let secret = SECRET_KEYS.iter().any(|word| key.contains(word)) && !key.contains("provider");
        if secret {
            strings(value, needles);
        } else {
            tokens(value, needles);
        }
    }
}

/// All strings in `value`: `[env]` may have `NAME = { value = "...", force = true }`.
fn strings(value: &toml::Value, needles: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => credentials("", text, needles),
        toml::Value::Array(values) => values.iter().for_each(|value| strings(value, needles)),
        toml::Value::Table(table) => table.values().for_each(|value| strings(value, needles)),
        _ => {}
    }
}

/// `text` with its percent-encoded bytes decoded (RFC 3986, 2.1); unchanged if they are not UTF-8.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut output, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            output.push(value);
            at += 3;
        } else {
            output.push(byte);
            at += 1;
        }
    }
    String::from_utf8(output).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> HostSettings {
        HostSettings {
            netrc: "machine a.example login me password netpw1\nmachine b.example\n login x\n password k3y\n\
                 # password of.mine\nmachine c.example login \"a b\" password \"two w\\\"rds\\\\\"\n\
                 machine d.example login d password es\\caped\ndefault password l4st"
                .to_owned(),
            apt_auth: "machine apt.example login apt password aptsecret".to_owned(),
            cargo_config: "[registries.corp]\nindex = \"sparse+https://cargo.example/index/\"\n\
                 token = \"Bearer c4rgo-t0ken\"\n[env]\nDB_PASSWORD = 'env v4lue'\n\
                 MY_SECRET = { value = \"t4ble\", force = true }\nPAGER = \"shown\"\n"
                .to_owned(),
            settings: [
                ("PIP_INDEX_URL", "https://user:p%40ss%2Fw@index.example/simple"),
                ("UV_INDEX_URL", "https://onlytoken@other.example/simple"),
                ("UV_EXTRA_INDEX_URL", "https://t0ken-user:@third.example/simple"),
                ("UV_INDEX_CORP_USERNAME", "lone-t0ken"),
                ("UV_DEFAULT_INDEX", "https://query.example/simple?v=1&token=qu3ry-token"),
                ("HTTP_PROXY", "http://u:pw1@proxy.example:3128"),
                ("CARGO_REGISTRIES_X_TOKEN", "tok"),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
            ..HostSettings::default()
        }
    }

    #[test]
    fn secrets_of_files_and_variables_are_hidden_in_every_form() {
        let settings = settings();
        let pair = |text: &str| STANDARD.encode(text);
        for secret in [
            "netpw1",
            "k3y",
            "aptsecret",
            "Bearer c4rgo-t0ken",
            "p%40ss%2Fw",
            "p@ss/w",
            "onlytoken",
            "t0ken-user",
            "lone-t0ken",
            "qu3ry-token",
            "pw1",
            "tok",
            "two w\"rds\\",
            "es\\caped",
            "escaped",
            "l4st",
            "env v4lue",
            "t4ble",
            &pair("a b:two w\"rds\\"),
            &pair("me:netpw1"),
            &pair("user:p@ss/w"),
            &pair("u:pw1"),
            &pair("apt:aptsecret"),
        ] {
            for text in [format!("got '{secret}' twice: {secret}"), format!("url=//x:{secret}@h")] {
                let clean = settings.redact(&text);
                assert!(!clean.contains(secret), "{secret}: {clean}");
            }
        }
        let plain = "PAGER=shown of.mine login me machine force v=1 1";
        assert_eq!(settings.redact(plain), plain);
    }

    /// Python's own parser defines the value of a password.
    #[test]
    fn netrc_words_match_pythons_parser() {
        let text = "a \"b c\" \"d\\\"e\\\\\" f\\ g\th\"i \"\" \"open";
        let (mut rest, mut values) = (text, Vec::new());
        while let Some(token) = token(&mut rest) {
            values.push(token.value);
        }
        assert_eq!(values, ["a", "b c", "d\"e\\", "f g", "h\"i", "", "open"]);
    }

    #[test]
    fn a_short_secret_is_hidden_only_as_a_word() {
        let needles = ["tok".to_owned(), "a".to_owned()];
        let text = "token tok, tok_x \"tok\" stoke";
        assert_eq!(redact(text, &needles), "token ****, ****_x \"****\" stoke");
        assert_eq!(redact("", &[String::new()]), "");
    }

    #[test]
    fn invalid_encodings_stay_unchanged() {
        for text in ["100%", "%zz", "%é", "a%4"] {
            assert_eq!(decoded(text), text);
        }
        assert_eq!(decoded("p%40%C3%A9"), "p@é");
    }
}
