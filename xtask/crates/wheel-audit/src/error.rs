//! The one error type that is written for people.

use thiserror::Error;

/// What went wrong, and what the user can do about it.
///
/// `Display` prints the message alone. [`crate::report::error`] finds the hint anywhere in a chain of
/// causes and prints it last, so that an error that wraps this one names it as its `source`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct UserError {
    /// What happened and where: the file, the key or the target, with the words of the other tool.
    pub message: String,
    /// The command, key or setting that fixes it.
    pub hint: Option<String>,
}

impl UserError {
    /// An error without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same error with a hint: a sentence without the word `hint:` before it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The hint of the first error in the chain of `error` and its causes that has one.
    pub fn hint_of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a str> {
        let mut next = Some(error);
        while let Some(error) = next {
            // An error of the system that wraps another one is not that other one.
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

    /// The message of `error` and, after an empty line, its hint.
    pub fn explain(error: &(dyn std::error::Error + 'static)) -> String {
        let hint = Self::hint_of(error);
        let hint = hint.map_or_else(String::new, |hint| format!("\n\nhint: {hint}"));
        format!("{error}{hint}")
    }
}
