//! The error type for user-facing messages.

use thiserror::Error;

/// An error with an optional hint.
///
/// `Display` prints only the message. [`crate::report::error`] finds the hint anywhere in a chain of causes and prints
/// it last, so a wrapping error must return this one as its `source`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UserError {
    /// The failure and its place: the file, key or target, with the error text of other tools.
    pub message: String,
    /// The command, key or setting that fixes the failure.
    pub hint: Option<String>,
}

impl UserError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Sets the hint, without the word `hint:`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The first hint in the chain of `error` and its causes.
    pub fn hint_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
        let mut next = Some(error);
        while let Some(error) = next {
            // An `io::Error` that wraps another error is not that error.
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            let user =
                inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref());
            if let Some(hint) = user.and_then(|user: &Self| user.hint.as_deref()) {
                return Some(hint);
            }
            next = error.source();
        }
        None
    }

    /// The message of `error` and its hint, separated by an empty line.
    pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
        let hint = Self::hint_of(error);
        let hint = hint.map_or_else(String::new, |hint| format!("\n\nhint: {hint}"));
        format!("{error}{hint}")
    }
}
