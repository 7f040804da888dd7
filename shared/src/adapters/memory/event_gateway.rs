//! An event gateway in memory, which can be away.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::{
    metrics::push::Push,
    ports::event_gateway::{EventGateway, PushError},
};

/// Keeps what it is handed.
#[derive(Debug, Default)]
pub struct MemoryGateway(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pushes: Vec<Push>,
    asked: usize,
    away: bool,
}

impl MemoryGateway {
    /// Whether it answers.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// What it took, in this order.
    #[must_use]
    pub fn pushes(&self) -> Vec<Push> {
        self.state().pushes.clone()
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state().asked
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventGateway for MemoryGateway {
    async fn push(&self, push: &Push) -> Result<(), PushError> {
        let mut state = self.state();
        state.asked += 1;
        if state.away {
            return Err(PushError::Unavailable { url: "memory".into(), reason: "it is away".into() });
        }
        state.pushes.push(push.clone());
        Ok(())
    }
}
