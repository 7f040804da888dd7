//! The one table `name -> handler`: triggers, `highwater invoke`, the Invoke API and the functions themselves all call
//! through it.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, OnceLock, Weak},
};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
pub use shared::function::{Answer, FunctionError};
use shared::ports::invoker::{InvokeError, Invoker};
use tracing::Instrument as _;

type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Answer> + Send + Sync>;

/// The hosted functions by name.
#[derive(Default)]
pub struct Functions {
    handlers: BTreeMap<&'static str, Handler>,
}

impl Functions {
    /// The table with one more function.
    #[must_use]
    pub fn with<F, A>(mut self, name: &'static str, handler: F) -> Self
    where
        F: Fn(Value) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.handlers.insert(name, Arc::new(move |payload| Box::pin(handler(payload))));
        self
    }

    /// The names of what is hosted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.handlers.keys().copied()
    }

    /// Whether a function of that name is hosted.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.handlers.contains_key(name)
    }

    /// Runs a function; `None` where there is none of that name. A panic in it is its error and nobody else's.
    pub async fn call(&self, name: &str, payload: Value) -> Option<Answer> {
        let handler = self.handlers.get(name)?.clone();
        let span = tracing::info_span!("function", name);
        let answer = tokio::spawn(async move { handler(payload).await }.instrument(span)).await;
        Some(answer.unwrap_or_else(|error| {
            let message = format!("the function ended without an answer: {error}");
            Err(FunctionError { error_type: "Panic".to_owned(), message, retry: true })
        }))
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        let answer = self.call(function, payload).await;
        let answer = answer.ok_or_else(|| InvokeError::UnknownFunction(function.to_owned()))?;
        answer.map_err(|error| InvokeError::of_function(function, error))
    }
}

/// The table before it is whole: a function that stands in it calls others through this.
#[derive(Clone, Default)]
pub struct LateInvoker(Arc<OnceLock<Weak<Functions>>>);

impl LateInvoker {
    /// From now on calls go to this table.
    pub fn set(&self, functions: &Arc<Functions>) {
        // A table is made once for each invoker; a second one would change nothing.
        let _ = self.0.set(Arc::downgrade(functions));
    }
}

#[async_trait]
impl Invoker for LateInvoker {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        match self.0.get().and_then(Weak::upgrade) {
            Some(functions) => functions.invoke(function, payload).await,
            None => Err(InvokeError::UnknownFunction(function.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Functions {
        Functions::default()
            .with("echo", |payload| async move { Ok(payload) })
            .with("fails", |_| async {
                Err(FunctionError { error_type: "Sad".into(), message: "no".into(), retry: false })
            })
            .with("panics", |_| async { panic!("boom") })
    }

    #[tokio::test]
    async fn a_function_is_called_by_its_name() {
        assert_eq!(table().call("echo", json!({"a": 1})).await.unwrap().unwrap(), json!({"a": 1}));
        assert!(table().call("missing", json!({})).await.is_none());
    }

    #[tokio::test]
    async fn an_invoker_tells_errors_apart() {
        assert!(
            matches!(table().invoke("missing", json!(1)).await, Err(InvokeError::UnknownFunction(name)) if name == "missing")
        );
        assert!(
            matches!(table().invoke("fails", json!(1)).await, Err(InvokeError::Function { error_type, .. }) if error_type == "Sad")
        );
    }

    #[tokio::test]
    async fn a_panic_is_the_functions_error_and_the_next_call_is_answered() {
        let table = table();
        assert_eq!(table.call("panics", json!(1)).await.unwrap().unwrap_err().error_type, "Panic");
        assert!(table.call("echo", json!(1)).await.unwrap().is_ok());
    }
}
