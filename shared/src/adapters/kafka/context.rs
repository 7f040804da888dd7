//! What a client says by itself: log lines, and errors that belong to no call.

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rdkafka::{
    ClientContext,
    client::OAuthToken,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{errors, login::Login};

/// Forwards log lines, gives tokens to log in with, and remembers why the client cannot get on.
pub(super) struct ClientState {
    login: Option<Arc<Login>>,
    speaks_for_a_group: bool,
    trouble: Mutex<Trouble>,
}

/// Why a client cannot get on, as far as it has said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The brokers refuse the client: what they said.
    pub(super) refused: Option<(Code, String)>,
    /// No broker is connected.
    pub(super) all_down: bool,
    /// The last thing that went wrong with a connection.
    pub(super) reason: Option<String>,
}

impl ClientState {
    /// Of a client that logs in by tokens, where there is a login for them.
    pub(super) fn new(login: Option<Arc<Login>>) -> Self {
        ClientState { login, speaks_for_a_group: true, trouble: Mutex::default() }
    }

    /// Of a client that speaks for no group. The C client looks for its group's coordinator all the same, and may be refused
    /// that: it means nothing.
    pub(super) fn of_no_group(self) -> Self {
        ClientState { speaks_for_a_group: false, ..self }
    }

    /// Why the client cannot get on now.
    pub(super) fn trouble(&self) -> Trouble {
        self.lock().clone()
    }

    /// A broker answered: whatever was wrong is over.
    pub(super) fn clear(&self) {
        *self.lock() = Trouble::default();
    }

    /// Takes note of an error that belongs to no call.
    pub(super) fn note(&self, error: &KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason);
        let mut trouble = self.lock();
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => trouble.all_down = true,
            Some(Code::GroupAuthorizationFailed) if !self.speaks_for_a_group => {}
            Some(code) if errors::refuses_client(code) => trouble.refused = Some((code, reason.to_owned())),
            _ => trouble.reason = Some(reason.to_owned()),
        }
    }

    /// Forwards a log line of the C client. Its errors are warnings here: who is affected gets an error of a call.
    pub(super) fn log_line(level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::info!(target: "librdkafka", facility, "{line}");
            }
            _ => tracing::warn!(target: "librdkafka", facility, "{line}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ClientState {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.login.as_ref().ok_or("the settings log in by no token")?.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        ClientState::log_line(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }
}
