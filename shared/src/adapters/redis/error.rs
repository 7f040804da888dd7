//! What a Redis error means to the one who asked.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::ports::store::StoreError;

/// Why Redis Cluster is refused.
pub(super) const CLUSTER: &str = "this is a Redis Cluster, which highwater does not support, because one batch touches keys of \
     many slots: use a single server or Sentinel";

/// Redis's words for "not now": the same call may succeed later.
const NOT_NOW: [&str; 6] = ["BUSY", "OOM", "MISCONF", "NOREPLICAS", "UNKILLABLE", "NOTREADY"];

/// Turns a client's error into the port's.
pub(super) fn store_error(operation: &'static str, url: &str, error: RedisError) -> StoreError {
    if is_temporary(&error) {
        return StoreError::Unavailable { operation, url: url.to_owned(), source: error.into() };
    }
    StoreError::Refused { operation, url: url.to_owned(), message: refusal(&error) }
}

/// The connection is of no use any more: the next call makes a new one.
pub(super) fn breaks_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly))
}

fn is_temporary(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    let by_kind = match error.kind() {
        ErrorKind::Io | ErrorKind::MasterNameNotFoundBySentinel | ErrorKind::NoValidReplicasFoundBySentinel => true,
        ErrorKind::Server(kind) => matches!(kind, BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain),
        _ => false,
    };
    let of_a_command = |code: &str| NOT_NOW.contains(&code);
    by_kind || error.code().is_some_and(of_a_command) || aborted_by(error, of_a_command)
}

/// Whether a transaction was given up because of commands with such codes.
fn aborted_by(error: &RedisError, is: impl Fn(&str) -> bool) -> bool {
    if !matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort)) {
        return false;
    }
    let commands = error.clone().into_server_errors();
    commands.is_some_and(|commands| !commands.is_empty() && commands.iter().all(|(_, error)| is(error.code())))
}

fn refusal(error: &RedisError) -> String {
    let hint = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "check user and password in redis.url"
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            "this user needs the commands of strings, hashes, sorted sets and scripts, and DEL, UNLINK, PEXPIREAT, TIME and INFO"
        }
        (ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot), _) => CLUSTER,
        _ => return error.to_string(),
    };
    format!("{error}; {hint}")
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    fn error(code: &str) -> StoreError {
        store_error("apply", "redis://host", make_extension_error(code.to_owned(), None))
    }

    #[test]
    fn a_server_that_is_full_or_busy_is_asked_again_later() {
        for code in ["OOM", "BUSY", "MISCONF"] {
            assert!(error(code).retry(), "{code}");
        }
    }

    #[test]
    fn a_wrong_password_is_not_tried_again_and_names_the_setting() {
        let error = error("WRONGPASS");
        assert!(!error.retry());
        assert!(error.to_string().contains("check user and password in redis.url"), "{error}");
    }
}
