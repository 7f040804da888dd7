//! The local runner: the binary `highwater`. It hosts the functions and shows what they stored; it holds no business rule.
//!
//! [`cli`] is what can be asked, [`commands`] answers it, one file a command. [`host`] makes contexts of settings and runs
//! the functions behind one table, [`http`] gives them ports. [`storage`] opens what is read, [`output`] prints.
//! [`emulation`] runs packaged functions in processes of their own. [`dev`] is what `highwater dev` embeds and makes up.

pub mod cli;
pub mod commands;
pub mod connect;
pub mod dev;
pub mod emulation;
mod examples;
pub mod failure;
pub mod host;
pub mod http;
pub mod output;
pub mod storage;
pub mod telemetry;
#[cfg(test)]
#[allow(dead_code, reason = "one file for the tests of two crates")]
#[path = "../../backup-verifier/src/tests/test_backup.rs"]
mod test_backup;

use crate::{cli::Cli, failure::Verdict};

/// Runs a command and turns its outcome into the exit code: 0 good, 1 what was checked is wrong, 2 used wrongly or
/// something cannot be reached.
pub async fn run(cli: Cli) -> u8 {
    match commands::run(cli).await {
        Ok(Verdict::Good) => 0,
        Ok(Verdict::Wrong) => 1,
        Ok(Verdict::Incomplete) => 2,
        Err(failure) if failure.is_closed_pipe() => 0,
        Err(failure) => {
            output::error(&failure);
            failure.exit_code()
        }
    }
}
