//! What is wrong with a configuration.

use std::{borrow::Cow, fmt};

use super::secret::without_credentials;

/// One thing wrong: which setting, which value, why, and what to do. No secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not TOML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// No such setting.
    #[error("{setting} is no setting; the nearest is {nearest}")]
    Unknown {
        /// As it was given: a path in the file, or a variable's name.
        setting: String,
        /// In the same form.
        nearest: String,
    },
    /// A value that does not fit.
    #[error("{setting}{}: {why}{}", shown(.value), described(.hint))]
    BadValue {
        /// Its path, and the variable it came from.
        setting: String,
        /// The value, unless it is secret.
        value: Option<String>,
        /// Why it does not fit.
        why: String,
        /// What the setting is.
        hint: Option<String>,
    },
    /// A setting that what is asked for needs.
    #[error("{setting} is not set: {remedy}")]
    Missing {
        /// Its path.
        setting: String,
        /// How to set it.
        remedy: String,
    },
}

impl Problem {
    /// A value that does not fit, and why.
    pub(super) fn bad(setting: &str, value: &str, why: &str) -> Self {
        Problem::BadValue {
            setting: setting.to_owned(),
            value: Some(value.to_owned()),
            why: why.to_owned(),
            hint: None,
        }
    }

    /// A value that does not fit; credentials in it are hidden, in the reason as well.
    pub(super) fn bad_value(
        setting: String,
        value: Option<&serde_json::Value>,
        why: &str,
        hint: Option<String>,
    ) -> Self {
        let text = value.and_then(serde_json::Value::as_str);
        let safe = text.map(without_credentials);
        let why = match (text, &safe) {
            (Some(text), Some(Cow::Owned(safe))) => why.replace(text, safe),
            _ => why.to_owned(),
        };
        let value = safe.map(|s| format!("{s:?}")).or_else(|| value.map(ToString::to_string));
        Problem::BadValue { setting, value, why, hint }
    }

    /// The same of another section, for settings that several sections have.
    pub(super) fn of_section(mut self, section: &str) -> Self {
        if let Problem::BadValue { setting, .. } | Problem::Missing { setting, .. } = &mut self
            && let Some((_, rest)) = setting.split_once('.')
        {
            *setting = format!("{section}.{rest}");
        }
        self
    }

    /// A section or setting that is needed.
    pub(super) fn missing(setting: &str, remedy: &str) -> Self {
        Problem::Missing { setting: setting.to_owned(), remedy: remedy.to_owned() }
    }
}

fn shown(value: &Option<String>) -> String {
    value.as_ref().map(|v| format!(" = {v}")).unwrap_or_default()
}

fn described(hint: &Option<String>) -> String {
    hint.as_ref().map(|h| format!("\n  it is: {h}")).unwrap_or_default()
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}
