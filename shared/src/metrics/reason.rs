//! Why a message of ours on the metrics topic is counted and skipped.

/// Why a message says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is no JSON object.
    #[error("the message is not a JSON object")]
    NotAnObject,
    /// Its extension is another one.
    #[error("the message is of another extension than \"backup\"")]
    OtherExtension,
    /// Its type is unknown here; a later version may know it.
    #[error("the message's type is none that this version knows")]
    UnknownType,
    /// A field is missing or of another type.
    #[error("the message cannot be read: {0}")]
    Malformed(String),
    /// A name is empty or too long.
    #[error("{field} is empty or longer than 255 bytes")]
    Name {
        /// Which field.
        field: &'static str,
    },
    /// A number is below zero that cannot be.
    #[error("{field} is below zero")]
    Negative {
        /// Which field.
        field: &'static str,
    },
    /// Its fields contradict each other.
    #[error("the message contradicts itself: {rule}")]
    Inconsistent {
        /// What should hold.
        rule: &'static str,
    },
}

impl Reason {
    /// A short name to count by.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Reason::NotAnObject => "not_an_object",
            Reason::OtherExtension => "other_extension",
            Reason::UnknownType => "unknown_type",
            Reason::Malformed(_) => "malformed",
            Reason::Name { .. } | Reason::Negative { .. } => "out_of_range",
            Reason::Inconsistent { .. } => "inconsistent",
        }
    }

    /// The field that is wrong, where it is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Reason::Name { field } | Reason::Negative { field } => Some(field),
            _ => None,
        }
    }

    /// What serde says, cut where a message of a megabyte would fill the log.
    pub(super) fn malformed(error: &serde_json::Error) -> Reason {
        Reason::Malformed(error.to_string().chars().take(200).collect())
    }
}
