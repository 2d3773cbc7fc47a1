//! The readers of pages and shell text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::markdown::Page;
use super::shell;
