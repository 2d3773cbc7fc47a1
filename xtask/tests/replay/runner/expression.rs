//! GitHub's expressions, as described in its reference "Evaluate expressions in workflows and actions": the text
//! between `${{` and `}}`, and the value of `if`. An unknown feature is an error.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde_json::Value;

use super::functions;
use super::syntax::{Expr, Op, parse};

/// The value of an expression, or an error.
pub(crate) type Evaluated<T> = Result<T, String>;

/// The state of a job, or of the jobs before it, for the status functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// True if all of them succeeded.
    pub(crate) success: bool,
    /// True if one of them failed.
    pub(crate) failure: bool,
    /// True if the run was cancelled.
    pub(crate) cancelled: bool,
}

/// The names that an expression can use at its place in the workflow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The contexts that GitHub provides at this place.
    pub(crate) contexts: BTreeMap<&'static str, Value>,
    /// For `success()` and other status functions, which only `if` can use.
    pub(crate) status: Option<Status>,
    /// For `hashFiles()`, which only keys of a step can use.
    pub(crate) workspace: Option<Utf8PathBuf>,
}

/// Contexts whose properties are all known: another name is an error here. On GitHub, it is an empty string.
const STRICT: [&str; 7] = ["github", "needs", "steps", "matrix", "runner", "job", "strategy"];

/// Evaluates the text of one expression.
pub(crate) fn evaluate(text: &str, scope: &Scope) -> Evaluated<Value> {
    parse(text).and_then(|expr| value(&expr, scope)).map_err(|error| format!("`{text}`: {error}"))
}

/// The value of a key: a single expression keeps its type, else a string.
pub(crate) fn interpolate(text: &str, scope: &Scope) -> Evaluated<Value> {
    let parts = parts(text)?;
    if let [Part::Expression(expression)] = &parts[..] {
        return evaluate(expression, scope);
    }
    let mut whole = String::new();
    for part in &parts {
        match part {
            Part::Text(text) => whole += text,
            Part::Expression(expression) => whole += &string(&evaluate(expression, scope)?),
        }
    }
    Ok(Value::String(whole))
}

/// The value of a key as text.
pub(crate) fn text(value: &Value, scope: &Scope) -> Evaluated<String> {
    match value {
        Value::String(text) => Ok(string(&interpolate(text, scope)?)),
        other => Ok(string(other)),
    }
}

/// Returns whether the job or step with this `if` runs. Without a status function, the condition is `success() && (...)`.
pub(crate) fn condition(value: Option<&Value>, scope: &Scope) -> Evaluated<bool> {
    let status = scope.status.ok_or("`if` without the state of a job")?;
    let text = match value {
        None => return Ok(status.success),
        Some(Value::String(text)) => text.as_str(),
        Some(other) => return Ok(status.success && truthy(other)),
    };
    let text = match &parts(text)?[..] {
        [Part::Expression(expression)] => (*expression).to_owned(),
        [] => return Ok(status.success),
        [Part::Text(text)] => (*text).to_owned(),
        _ => return Err(format!("`{text}`: text around an expression makes `if` always true")),
    };
    let is_true = truthy(&evaluate(&text, scope)?);
    Ok(is_true && (parse(&text)?.calls_status_function() || status.success))
}

enum Part<'a> {
    Text(&'a str),
    Expression(&'a str),
}

/// Splits `text` into its expressions and the text between them.
fn parts(text: &str) -> Evaluated<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${{") {
        let inner = &rest[start + 3..];
        let mut quoted = false;
        let end = inner.char_indices().find_map(|(at, c)| {
            quoted ^= c == '\'';
            (!quoted && inner[at..].starts_with("}}")).then_some(at)
        });
        let end = end.ok_or_else(|| format!("`{text}`: `${{{{` without its end"))?;
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        parts.push(Part::Expression(inner[..end].trim()));
        rest = &inner[end + 2..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn value(expr: &Expr, scope: &Scope) -> Evaluated<Value> {
    match expr {
        Expr::Literal(value) => Ok(value.clone()),
        Expr::Context(name) => {
            let found = scope.contexts.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let found = found.map(|(_, value)| value.clone());
            found.ok_or_else(|| format!("there is no context `{name}` at this place"))
        }
        Expr::Index(of, index) => {
            let (object, index) = (value(of, scope)?, value(index, scope)?);
            let found = index_of(&object, &index);
            match &**of {
                Expr::Context(name) if STRICT.contains(&name.to_ascii_lowercase().as_str()) => {
                    found.ok_or_else(|| format!("`{name}` has no `{}`", string(&index)))
                }
                _ => Ok(found.unwrap_or(Value::Null)),
            }
        }
        Expr::Not(of) => Ok(Value::Bool(!truthy(&value(of, scope)?))),
        Expr::Binary(Op::And, left, right) => {
            let left = value(left, scope)?;
            if truthy(&left) { value(right, scope) } else { Ok(left) }
        }
        Expr::Binary(Op::Or, left, right) => {
            let left = value(left, scope)?;
            if truthy(&left) { Ok(left) } else { value(right, scope) }
        }
        Expr::Binary(op, left, right) => {
            let (left, right) = (value(left, scope)?, value(right, scope)?);
            Ok(Value::Bool(compare(*op, &left, &right)))
        }
        Expr::Call(name, args) => {
            let args = args.iter().map(|arg| value(arg, scope)).collect::<Evaluated<Vec<_>>>()?;
            functions::call(name, &args, scope)
        }
    }
}

fn index_of(object: &Value, index: &Value) -> Option<Value> {
    match object {
        Value::Object(map) => {
            let name = string(index);
            let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name));
            found.map(|(_, value)| value.clone())
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        Value::Array(list) => {
            let index = number(index);
            (index >= 0.0).then(|| list.get(index as usize).cloned()).flatten()
        }
        _ => None,
    }
}

fn compare(op: Op, left: &Value, right: &Value) -> bool {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => {
            Some(left.to_uppercase().cmp(&right.to_uppercase()))
        }
        // Only the same instance of these is equal; no expression here compares them.
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => None,
        _ => number(left).partial_cmp(&number(right)),
    };
    match op {
        Op::Equal => order == Some(Ordering::Equal),
        Op::NotEqual => order != Some(Ordering::Equal),
        Op::Less => order == Some(Ordering::Less),
        Op::Greater => order == Some(Ordering::Greater),
        Op::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Op::And | Op::Or => false,
    }
}

/// `value` as a condition.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(_) => number(value) != 0.0,
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// `value` as text.
pub(crate) fn string(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is) => is.to_string(),
        // GitHub writes `1.0` as `1`.
        Value::Number(_) => number(value).to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) => "Array".to_owned(),
        Value::Object(_) => "Object".to_owned(),
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(is) => f64::from(u8::from(*is)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => super::syntax::number(text.trim()).unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}
