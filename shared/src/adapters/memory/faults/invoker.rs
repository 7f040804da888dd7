//! An invoker that fails.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Faults, Injected};
use crate::ports::invoker::{InvokeError, Invoker};

/// The way to other functions as a process with [`Faults`] meets it.
pub struct FaultyInvoker {
    inner: Arc<dyn Invoker>,
    faults: Arc<Faults>,
}

impl FaultyInvoker {
    /// `inner` behind `faults`.
    #[must_use]
    pub fn new(inner: Arc<dyn Invoker>, faults: Arc<Faults>) -> Self {
        FaultyInvoker { inner, faults }
    }
}

#[async_trait]
impl Invoker for FaultyInvoker {
    async fn invoke(&self, function: &str, payload: Value) -> Result<Value, InvokeError> {
        let unreachable =
            |fault: Injected| InvokeError::Unreachable { function: function.to_owned(), source: Box::new(fault) };
        self.faults.before().await.map_err(unreachable)?;
        let answer = self.inner.invoke(function, payload).await?;
        self.faults.after().await.map_err(unreachable)?;
        Ok(answer)
    }
}
