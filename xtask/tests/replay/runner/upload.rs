//! The upload of one file to an index, as described in its documentation "Upload API".

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use camino::Utf8Path;

const BOUNDARY: &str = "----------------replay-boundary";

/// Sends `file` to the index at `address` (`127.0.0.1:PORT`).
pub(crate) fn post(address: &str, file: &Utf8Path) -> Result<(), String> {
    let name = file.file_name().unwrap_or_default();
    let bytes = fs_err::read(file).map_err(|error| error.to_string())?;
    let words: Vec<&str> = name.split('-').collect();
    let sha256 = wheel_audit::digest::of_bytes(&bytes);
    let fields = [
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("metadata_version", "2.1"),
        ("filetype", if file.extension() == Some("whl") { "bdist_wheel" } else { "sdist" }),
        ("name", words[0]),
        ("version", words.get(1).copied().unwrap_or_default()),
        ("pyversion", words.get(2).copied().unwrap_or("source")),
        ("sha256_digest", &sha256),
    ];
    let mut body = Vec::new();
    for (field, value) in fields {
        body.extend(part(&format!("name=\"{field}\"")).into_bytes());
        body.extend(value.as_bytes());
    }
    body.extend(part(&format!("name=\"content\"; filename=\"{name}\"")).into_bytes());
    body.extend(&bytes);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    );
    let answer = send(address, head.as_bytes(), &body).map_err(|e| format!("{address}: {e}"))?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    if status == "200" { Ok(()) } else { Err(format!("{name}: the index answers {answer}")) }
}

fn part(disposition: &str) -> String {
    format!("\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n")
}

fn send(address: &str, head: &[u8], body: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(head)?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
