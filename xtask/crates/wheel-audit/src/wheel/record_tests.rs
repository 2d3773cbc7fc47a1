//! Tests of RECORD.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use proptest::prelude::*;

use super::*;

fn files(list: &[(&str, &[u8])]) -> BTreeMap<String, Digest> {
    list.iter().map(|&(path, bytes)| (path.to_owned(), Digest::of(bytes))).collect()
}

fn verify(text: &str, list: &[(&str, &[u8])]) -> Vec<RecordProblem> {
    Record::parse(text.as_bytes()).unwrap().verify(&files(list), "d/RECORD")
}

/// The digest of an empty file.
const EMPTY: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

#[test]
fn a_complete_record_has_no_problem() {
    let text = format!("a.py,{EMPTY},0\r\n\"b,\"\"c\"\".py\",{EMPTY},0\r\nd/RECORD,,\r\n");
    assert_eq!(
        verify(
            &text,
            &[("a.py", b""), ("b,\"c\".py", b""), ("d/RECORD", b"x"), ("d/RECORD.jws", b"x")]
        ),
        []
    );
}

#[test]
fn every_difference_is_reported() {
    let path = || "a".to_owned();
    assert_eq!(verify("", &[("a", b"")]), [RecordProblem::Unlisted { path: path() }]);
    assert_eq!(verify(&format!("a,{EMPTY},0"), &[]), [RecordProblem::Absent { path: path() }]);
    assert_eq!(
        verify(&format!("a,{EMPTY},0\na,{EMPTY},0"), &[("a", b"")]),
        [RecordProblem::Repeated { path: path() }]
    );
    assert_eq!(verify("a,,", &[("a", b"")]), [RecordProblem::NoHash { path: path() }]);
    for algorithm in ["md5", "sha1", "SHA256"] {
        let algorithm = algorithm.to_owned();
        assert_eq!(
            verify(&format!("a,{algorithm}=x,0"), &[("a", b"")]),
            [RecordProblem::Algorithm { path: path(), algorithm }]
        );
    }
    assert_eq!(
        verify(&format!("a,{EMPTY},1"), &[("a", b"")]),
        [RecordProblem::Size { path: path(), recorded: 1, found: 0 }]
    );
    assert!(matches!(
        verify(&format!("a,{EMPTY},0"), &[("a", b"x")]).as_slice(),
        [RecordProblem::Hash { .. }, RecordProblem::Size { .. }]
    ));
    // Padding is forbidden.
    assert!(matches!(
        verify(&format!("a,{EMPTY}=,0"), &[("a", b"")]).as_slice(),
        [RecordProblem::Form { form: "padded or not URL-safe", .. }]
    ));
    let hex = format!("sha256={}", Digest::of(b"").hex());
    let text = format!("a,{hex},0\nb,{hex},0\nc,{hex},7\nd,{EMPTY},0");
    let files = [("a", b"".as_slice()), ("b", b""), ("c", b""), ("d", b"")];
    let problems = verify(&text, &files);
    let form = RecordProblem::Form {
        path: "d/RECORD".to_owned(),
        form: "hexadecimal",
        files: vec!["a".to_owned(), "b".to_owned()],
    };
    assert!(problems.contains(&form), "{problems:?}");
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn invalid_rows_are_reported() {
    for path in ["/etc/passwd", "../a", "a/../../b", "\\\\host\\a", "C:\\a", "c:a"] {
        assert_eq!(
            verify(&format!("{path},{EMPTY},0"), &[]),
            [RecordProblem::Outside { path: path.to_owned() }]
        );
    }
    let own = "d/RECORD".to_owned();
    assert_eq!(
        verify(&format!("d/RECORD,{EMPTY},0"), &[("d/RECORD", b"")]),
        [RecordProblem::OwnHash { path: own }]
    );
    let (path, algorithm) = ("a".to_owned(), "sha512".to_owned());
    assert_eq!(
        verify("a,sha512=x,0", &[("a", b"")]),
        [RecordProblem::Unchecked { path, algorithm }]
    );
    assert_eq!(verify(&format!("..a/b..,{EMPTY},0"), &[("..a/b..", b"")]), []);
}

#[test]
fn errors_of_rows_contain_the_line() {
    let error = |text: &str| Record::parse(text.as_bytes()).err();
    assert_eq!(error("a,,\nb,"), Some(RecordError::Fields(2)));
    assert_eq!(error("a,,,"), Some(RecordError::Fields(1)));
    assert_eq!(error("\"a,,"), Some(RecordError::Quotation(1)));
    assert_eq!(error("\"a\"b,,"), Some(RecordError::Quotation(1)));
    assert_eq!(error("a,sha256,"), Some(RecordError::Hash(1)));
    assert_eq!(error("a,,+1"), Some(RecordError::Size(1)));
    assert_eq!(Record::parse(b"\xff,,"), Err(RecordError::Encoding));
}

#[test]
fn problems_above_the_limit_are_dropped() {
    let many = "a,,\n".repeat(MAX_ROWS);
    let record = Record::parse(many.as_bytes()).unwrap();
    assert_eq!(record.verify(&BTreeMap::new(), "RECORD").len(), MAX_PROBLEMS);
    assert_eq!(Record::parse(format!("{many}a,,").as_bytes()), Err(RecordError::TooMany));
}

proptest! {
    #[test]
    fn text_and_rows_are_inverse(
        rows in prop::collection::vec(("[^\\x00-\\x1f\\x7f]{1,12}", prop::option::of("[A-Za-z0-9_-]{1,8}"), prop::option::of(any::<u64>())), 0..8),
    ) {
        let rows = rows.into_iter().map(|(path, digest, size)| RecordRow {
            path,
            hash: digest.map(|digest| ("sha256".to_owned(), digest)),
            size,
        });
        let record = Record { rows: rows.collect() };
        prop_assert_eq!(Record::parse(record.to_text().as_bytes()), Ok(record));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::parse(&bytes);
    }
}
