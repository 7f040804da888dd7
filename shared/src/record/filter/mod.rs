//! Which records of a topic are kept: a CEL expression over one record.
//!
//! | name | is |
//! |---|---|
//! | `key`, `value` | the text, or null where the record has none (`value == null` is a tombstone) |
//! | `key.json`, `value.json` | the same, read as JSON; only then is it parsed |
//! | `headers` | the last value of each header name: `headers['kind'] == 'order'`, `'kind' in headers`, `has(headers.kind)` |
//! | `header_values` | all values of each header name, in their order: `'a' in header_values['tag']` |
//! | `timestamp` | milliseconds since 1970; -1 where there is none |
//! | `size` | bytes of key, value, header names and header values |
//! | `topic`, `partition`, `offset` | where it stands |
//!
//! Functions are CEL's own, without timestamps and durations; `matches` takes a regular expression that is written out, and
//! compiles it once. The answer depends on the expression and the record alone, so that a record that is read again is judged
//! the same. **An expression that fails on a record keeps it** ([`Undecided`]); as CEL has it, `a || b` does not fail where
//! the other side decides.
//!
//! Neither an expression nor a record can stop the process: length, nesting and regular expressions are limited when the
//! expression is compiled (`check`), JSON values and the work of comprehensions when it is applied (`facts`), and a panic
//! of the library is one more failure.

mod check;
mod facts;
mod json;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use cel::{Context, Env, ExecutionError, Program, Value, common::types::CelBool, extractors::This};

use self::{
    check::Regexes,
    facts::{Facts, values_max},
};
use super::{Record, TopicPartition};

/// The longest expression. A longer one is a program, and its parser might exhaust the stack.
const BYTES_MAX: usize = 4096;

/// A compiled expression.
pub struct Filter {
    text: String,
    program: Program,
    context: Context<'static, 'static>,
    comprehensions: u32,
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct NotAFilter {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a filter could not judge a record, which is then kept. It shows nothing of the record's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// A part is asked for as text, and is none.
    #[error("its {0} is not UTF-8")]
    NotText(&'static str),
    /// A part is asked for as JSON, and is none.
    #[error("its {part} is not JSON: {reason}")]
    NotJson {
        /// Which.
        part: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// A part holds more JSON values than are looked into.
    #[error("its {part} holds more than {values_max} JSON values, too many for this expression")]
    TooLarge {
        /// Which.
        part: &'static str,
        /// For this expression and a record of this size.
        values_max: usize,
    },
    /// The expression is not about true or false for this record.
    #[error("the expression gives a {0}, not true or false")]
    NotBool(String),
    /// CEL's own reasons.
    #[error("{0}")]
    Failed(String),
}

impl Filter {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn compile(text: &str) -> Result<Filter, NotAFilter> {
        check::text(text)?;
        let env = Env::stdlib().with_optional_support(false);
        let compiled = catch_unwind(AssertUnwindSafe(|| env.compile(text)));
        let program = match compiled {
            Ok(program) => program.map_err(|errors| NotAFilter::of(&errors))?,
            Err(_) => return Err(NotAFilter::at(text, 0, "the parser gave up on it".to_owned())),
        };
        let checked = check::program(&program)?;
        let mut context = Context::with_env(Arc::new(env));
        context
            .add_function("matches", matching(checked.regexes))
            .expect("without its feature the library declares no `matches`");
        Ok(Filter { text: text.to_owned(), program, context, comprehensions: checked.comprehensions })
    }

    /// Whether a record is kept.
    ///
    /// # Errors
    /// Why that cannot be said; the record is kept then.
    pub fn keeps(&self, at: &TopicPartition, record: &Record) -> Result<bool, Undecided> {
        let values_max = values_max(self.comprehensions, record.size_bytes());
        let facts = Facts::new(at, record, values_max);
        let context = scope(&self.context, &facts);
        let judge = || -> Result<bool, Undecided> {
            let value = Value::resolve_val(self.program.expression(), &context).map_err(|error| failed(&error))?;
            let answer = value.downcast_ref::<CelBool>().map(|answer| *answer.inner());
            answer.ok_or_else(|| Undecided::NotBool(value.get_type().name().to_owned()))
        };
        match catch_unwind(AssertUnwindSafe(judge)) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(facts.trouble().unwrap_or(error)),
            Err(_) => Err(Undecided::Failed("the expression's evaluation panicked".to_owned())),
        }
    }
}

/// The context of one record.
fn scope<'a>(root: &'a Context<'static, 'static>, facts: &'a Facts<'_>) -> Context<'a, 'a> {
    let root: &'a Context<'a, 'a> = root;
    let mut context = root.new_inner_scope();
    context.set_variable_resolver(facts);
    context
}

/// `matches`, over the expressions that were compiled with the filter.
fn matching(
    regexes: Regexes,
) -> impl Fn(This<Arc<String>>, Arc<String>) -> Result<bool, ExecutionError> + Send + Sync + 'static {
    move |This(text): This<Arc<String>>, expression: Arc<String>| {
        let regex = regexes.get(expression.as_str());
        let regex =
            regex.ok_or_else(|| ExecutionError::function_error("matches", "another expression than written"))?;
        Ok(regex.is_match(&text))
    }
}

/// An error in words that show nothing of a record: the library's own print values.
fn failed(error: &ExecutionError) -> Undecided {
    let what = match error {
        // Keys come from the expression, nearly always.
        ExecutionError::NoSuchKey(key) => format!("no such key: {}", key.chars().take(64).collect::<String>()),
        ExecutionError::NoSuchOverload(_) | ExecutionError::InvalidArgumentCount { .. } => error.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("{name} is not known"),
        ExecutionError::UnexpectedType { want, .. } => format!("a value is of another type than {want}"),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => format!("the operands of {operator} do not fit"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "a division by zero".to_owned(),
        ExecutionError::Overflow(operator, ..) => format!("{operator} exceeds 64 bits"),
        ExecutionError::IndexOutOfBounds(_) => "an index out of bounds".to_owned(),
        ExecutionError::FunctionError { function, .. } => format!("{function} failed"),
        _ => "values of types that do not fit".to_owned(),
    };
    Undecided::Failed(what)
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({:?})", self.text)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
