//! Compares the evaluation of expressions with GitHub's reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::runner::expression::{Scope, Status, condition, evaluate, interpolate};

fn scope() -> Scope {
    let github = json!({"ref": "refs/heads/main", "event_name": "push",
        "event": {"issue": {"labels": ["bug", "help wanted"]}, "repository": {"fork": false}}});
    let needs =
        json!({"plan": {"result": "success", "outputs": {"matrix": "{\"include\":[{\"a\":1}]}"}}});
    let contexts =
        BTreeMap::from([("github", github), ("needs", needs), ("env", json!({"A": "1"}))]);
    let status = Some(Status { success: true, failure: false, cancelled: false });
    Scope { contexts, status, workspace: None }
}

#[track_caller]
fn is(text: &str, expected: impl Into<Value>) {
    assert_eq!(evaluate(text, &scope()), Ok(expected.into()), "{text}");
}

#[test]
fn literals_match_the_reference() {
    is("null", Value::Null);
    is("false", false);
    is("711 == 711.0", true);
    is("-9.2 < 0", true);
    is("0xff == 255", true);
    is("-2.99e-2 > -0.03", true);
    is("'It''s open source!'", "It's open source!");
    assert!(evaluate("\"double\"", &scope()).is_err());
}

#[test]
fn values_are_compared_loosely() {
    for text in [
        "null == 0",
        "true == 1",
        "false == ''",
        "'' == 0",
        "'0x10' == 16",
        "'Push' == 'pUSH'",
        "'a' != 1",
        "!(0)",
        "!''",
        "'b' > 'A'",
        "null == ''",
    ] {
        is(text, true);
    }
    for text in ["'abc' == 0", "'abc' >= 0", "'abc' < 0", "null == 'null'", "1 == 'one'"] {
        is(text, false);
    }
}

#[test]
fn operators_and_their_precedence_match_the_reference() {
    is(
        "github.ref == 'refs/heads/main' && 'value_for_main' || 'value_for_other'",
        "value_for_main",
    );
    is("github.ref == 'refs/heads/x' && 'value_for_main' || 'value_for_other'", "value_for_other");
    is("false || true && false", false);
    is("(true || true) && false", false);
    is("true || false && false", true);
    is("!false && 1 < 2 == true", true);
    is("env.A", "1");
    is("env['A']", "1");
    is("env.none", Value::Null);
}

#[test]
fn functions_match_the_examples_of_the_reference() {
    is("contains('Hello world', 'llo')", true);
    is("contains(github.event.issue.labels, 'bug')", true);
    is("contains(github.event.issue.labels, 'bu')", false);
    is("contains(fromJSON('[\"push\", \"pull_request\"]'), github.event_name)", true);
    is("startsWith('Hello world', 'He')", true);
    is("endsWith('Hello world', 'ld')", true);
    is("format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", "Hello Mona the Octocat");
    is("format('{{Hello {0} {1} {2}!}}', 'Mona', 'the', 'Octocat')", "{Hello Mona the Octocat!}");
    is("join(github.event.issue.labels, ', ')", "bug, help wanted");
    is("fromJSON(needs.plan.outputs.matrix).include[0].a", 1);
    is("fromJSON(toJSON(github.event)).repository.fork", false);
}

#[test]
fn an_unknown_name_or_invalid_syntax_is_an_error() {
    for text in [
        "secrets.X",
        "github.reff",
        "needs.build.result",
        "steps.a.outputs.b",
        "nonsense('a')",
        "a &&",
        "1 2",
        "(1",
        "'open",
        "github.",
        "github.*",
        "a = b",
        "success('x')",
        "hashFiles('a')",
        "format('{1}', 'a')",
        "fromJSON('{')",
    ] {
        assert!(evaluate(text, &scope()).is_err(), "{text}");
    }
}

#[test]
fn a_template_of_one_expression_keeps_its_type() {
    let of = |text: &str| interpolate(text, &scope()).unwrap();
    assert_eq!(of("${{ true }}"), json!(true));
    assert_eq!(of("x-${{ 1.50 }}-${{ null }}"), json!("x-1.5-"));
    assert_eq!(of("${{ format('}}{0}', 1) }}"), json!("}1"));
    assert!(interpolate("${{ 1", &scope()).is_err());
}

#[test]
fn if_requires_success_unless_it_calls_a_status_function() {
    let of = |text: Option<&str>, success: bool| {
        let status = Some(Status { success, failure: !success, cancelled: false });
        let value = text.map(|text| json!(text));
        condition(value.as_ref(), &Scope { status, ..scope() })
    };
    for (text, good, bad) in [
        (None, true, false),
        (Some("true"), true, false),
        (Some("${{ github.event_name == 'push' }}"), true, false),
        (Some("github.event_name == 'pull_request'"), false, false),
        (Some("${{ !cancelled() }}"), true, true),
        (Some("failure()"), false, true),
        (Some("always() && github.event_name == 'push'"), true, true),
        (Some("cancelled()"), false, false),
    ] {
        assert_eq!((of(text, true), of(text, false)), (Ok(good), Ok(bad)), "{text:?}");
    }
    // A string with text around the expression is never empty, so that the step would always run.
    assert!(of(Some("${{ false }} && true"), true).is_err());
    let without = Scope { status: None, ..scope() };
    assert!(evaluate("success()", &without).is_err());
}
