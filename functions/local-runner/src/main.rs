//! The binary `highwater`.

use std::process::ExitCode;

use clap::Parser;
use local_runner::{cli::Cli, telemetry};
use shared::adapters::allocator;

fn main() -> ExitCode {
    allocator::give_back_freed_memory();
    let cli = Cli::parse();
    telemetry::start(cli.command.log_level());
    run(cli)
}

#[tokio::main]
async fn run(cli: Cli) -> ExitCode {
    local_runner::run(cli).await
}
