#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn feed(lines: &[&str]) -> (Progress, Vec<Event>) {
    let mut progress = Progress::default();
    let events = lines.iter().flat_map(|line| progress.line(line.as_bytes())).collect();
    (progress, events)
}

#[test]
fn steps_start_print_and_end() {
    let (progress, events) = feed(&[
        r#"{"vertexes":[{"digest":"a","name":"[base 1/2] RUN x"}]}"#,
        r#"{"vertexes":[{"digest":"a","name":"[base 1/2] RUN x","started":"t"}]}"#,
        // "hel", then "lo\nworld" in base64
        r#"{"logs":[{"vertex":"a","stream":1,"data":"aGVs"},{"vertex":"a","data":"bG8Kd29ybGQ="}]}"#,
        r#"{"vertexes":[{"digest":"a","name":"[base 1/2] RUN x","started":"t","completed":"u"}]}"#,
        r#"{"vertexes":[{"digest":"b","name":"[src]","started":"t","completed":"u","cached":true}]}"#,
    ]);
    let name = || "[base 1/2] RUN x".to_owned();
    let output = |line: &str| Event::Output { name: name(), line: line.to_owned() };
    let expected = [
        Event::Started { name: name() },
        output("hello"),
        output("world"),
        Event::Done { name: name(), cached: false },
        Event::Done { name: "[src]".to_owned(), cached: true },
    ];
    assert_eq!(events, expected);
    assert_eq!(progress.failed(), None);
}

#[test]
fn the_failed_step_is_the_cause_and_a_cancelled_one_is_not() {
    let (progress, _) = feed(&[
        r#"{"vertexes":[{"digest":"a","name":"A","started":"t"},{"digest":"b","name":"B","started":"t"}]}"#,
        r#"{"logs":[{"vertex":"b","data":"Ym9vbQo="}]}"#,
        r#"{"vertexes":[{"digest":"a","started":"t","completed":"u","error":"context canceled"}]}"#,
        r#"{"vertexes":[{"digest":"b","started":"t","completed":"u","error":"exit code: 1"}]}"#,
    ]);
    let expected = FailedStep {
        name: "B".to_owned(),
        error: "exit code: 1".to_owned(),
        tail: vec!["boom".to_owned()],
        clipped: None,
    };
    assert_eq!(progress.failed(), Some(expected));
}

#[test]
fn a_notice_about_dropped_output_is_no_output() {
    for limit in ["2MiB", "200KiB/s"] {
        let mut output = Recent::default();
        output.keep("Traceback (most recent call last):");
        output.keep("  File \"setup.py\", line 3, in <module>");
        output.keep(&format!("[output clipped, log limit {limit} reached]"));
        output.keep("ValueError: a");
        assert_eq!((output.clipped.as_deref(), output.lines.len()), (Some(limit), 3));
    }
}

#[test]
fn indented_reports_of_older_clients_are_parsed() {
    let (progress, events) = feed(&[
        "{",
        r#"  "vertexes": [{"digest": "a", "name": "A", "started": "t", "completed": "u","#,
        r#"   "error": "exit code: 1"}]"#,
        "}",
        "ERROR: failed to solve",
        "{",
        "no report",
        "}",
    ]);
    assert_eq!(progress.failed().map(|step| step.name), Some("A".to_owned()));
    let answer: Vec<_> = events.iter().filter(|event| matches!(event, Event::Message(_))).collect();
    assert_eq!(answer.len(), 4, "{answer:?}");
}

#[test]
fn a_line_that_is_not_progress_is_the_clients_message() {
    let (_, events) = feed(&["ERROR: \u{1b}[31mno builder", ""]);
    assert_eq!(events, [Event::Message("ERROR: no builder".to_owned())]);
}

proptest! {
    #[test]
    fn arbitrary_lines_do_not_panic(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let mut progress = Progress::default();
        for line in lines {
            progress.line(&line);
        }
    }

    #[test]
    fn arbitrary_json_does_not_panic(
        digest in ".{0,4}", name in ".{0,8}", error in ".{0,8}", data in "[A-Za-z0-9+/=]{0,40}",
        completed in proptest::option::of("x"),
    ) {
        let mut progress = Progress::default();
        let status = serde_json::json!({
            "vertexes": [{"digest": digest, "name": name, "error": error, "started": "t",
                          "completed": completed}],
            "logs": [{"vertex": digest, "data": data}],
        });
        progress.line(status.to_string().as_bytes());
        prop_assert!(progress.failed().is_none_or(|step| step.error == clean(&error)));
    }
}

#[test]
fn a_failed_cache_is_reported_and_does_not_fail_the_build() {
    let (progress, events) = feed(&[
        r#"{"vertexes":[{"digest":"a","name":"importing cache manifest from r.example/c:x","started":"t","completed":"u","error":"500 Internal Server Error"}]}"#,
        r#"{"vertexes":[{"digest":"b","name":"B","started":"t","completed":"u","error":"exit code: 1"}]}"#,
        r#"{"vertexes":[{"digest":"c","name":"exporting cache to registry","started":"t","completed":"u","error":"429"}]}"#,
    ]);
    assert_eq!(progress.failed().map(|step| step.name), Some("B".to_owned()));
    let reported = events.iter().filter(|event| matches!(event, Event::NoCache { .. })).count();
    assert_eq!(reported, 2, "{events:?}");
}

#[test]
fn cutting_a_long_line_leaves_no_part_of_a_secret() {
    let line = format!("{}s3cretword and more\n", "x".repeat(MAX_SHOWN - 5));
    let (progress, _) = feed(&[
        r#"{"vertexes":[{"digest":"a","name":"A","started":"t"}]}"#,
        &format!(r#"{{"logs":[{{"vertex":"a","data":"{}"}}]}}"#, STANDARD.encode(line)),
        r#"{"vertexes":[{"digest":"a","started":"t","completed":"u","error":"s3cretword"}]}"#,
    ]);
    let step = progress.failed().unwrap().redacted(|text| text.replace("s3cretword", "****"));
    assert_eq!(step.error, "****");
    assert_eq!(step.tail, [format!("{}**** ", "x".repeat(MAX_SHOWN - 5))]);
}

#[test]
fn colors_and_chunks_do_not_hide_an_error() {
    // A colored line, cut inside of its last character, then control sequences without a newline.
    let (progress, events) = feed(&[
        r#"{"vertexes":[{"digest":"a","name":"A","started":"t"}]}"#,
        r#"{"logs":[{"vertex":"a","data":"G1swMW0bW0thLmM6MToyOhtbbRtbSyAbWzAxOzMxbRtbS2Vycm9yOiAbW20bW0tubyDD"}]}"#,
        r#"{"logs":[{"vertex":"a","data":"qQ0KG10wO3RpdGxlBxtbMkrCmzFtZW5k"}]}"#,
        r#"{"vertexes":[{"digest":"a","started":"t","completed":"u","error":"exit code: 1"}]}"#,
    ]);
    let lines = ["a.c:1:2: error: no é", "1mend"];
    let printed = events.iter().filter_map(|event| match event {
        Event::Output { line, .. } => Some(line.as_str()),
        _ => None,
    });
    assert_eq!(printed.collect::<Vec<_>>(), lines);
    assert_eq!(progress.failed().unwrap().tail, lines[..1]);
}
