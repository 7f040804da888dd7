//! The commands, one file each.

mod accept_loss;
mod backup;
mod cat;
mod completions;
mod config;
mod control;
mod dev;
mod doctor;
mod drill;
mod figures;
mod find;
mod groups;
mod health;
mod invoke;
mod metrics;
mod replicate;
mod restore;
mod restore_files;
mod restoring;
mod schemas;
mod segments;
mod serve;
mod sql;
mod topics;
mod verify;
mod writer;

use backup_control::Action;

use crate::{
    cli::{Cli, Command},
    failure::{Failure, Verdict},
};

/// Runs a command.
pub async fn run(cli: Cli) -> Result<Verdict, Failure> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Dev(args) => dev::run(config, args).await,
        Command::Serve(args) => serve::run(config, args).await,
        Command::Backup(args) => backup::run(config, args).await,
        Command::AcceptLoss(args) => accept_loss::run(config, args).await,
        Command::Invoke(args) => invoke::run(config, args).await,
        Command::Pause(args) => control::run(config, args, Action::Pause).await,
        Command::Resume(args) => control::run(config, args, Action::Resume).await,
        Command::Replicate(args) => replicate::run(config, args).await,
        Command::Topics(args) => topics::run(config, args).await,
        Command::Segments(args) => segments::run(config, args).await,
        Command::Cat(args) => cat::run(config, args).await,
        Command::Groups(args) => groups::run(config, args).await,
        Command::Restore(args) => restore::run(config, args).await,
        Command::Drill(args) => drill::run(config, args).await,
        Command::Schemas(command) => schemas::run(config, command).await,
        Command::Sql(args) => sql::run(config, args).await,
        Command::Verify(args) => verify::run(config, args).await,
        Command::Doctor(args) => doctor::run(config, args).await,
        Command::Health(args) => health::run(config, args).await,
        Command::Config(command) => config::run(config, command).await,
        Command::Metrics(command) => metrics::run(&command),
        Command::Completions { shell } => completions::run(shell),
    }
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests;
