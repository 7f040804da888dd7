//! The commands, one file each.

mod cat;
mod config;
mod segments;
mod topics;
mod verify;

use crate::{
    cli::{Cli, Command},
    failure::{Failure, Verdict},
};

/// Runs a command.
pub async fn run(cli: Cli) -> Result<Verdict, Failure> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::Topics(args) => topics::run(config, args).await,
        Command::Segments(args) => segments::run(config, args).await,
        Command::Cat(args) => cat::run(config, args).await,
        Command::Verify(args) => verify::run(config, args).await,
        Command::Config(command) => config::run(config, command).await,
    }
}
