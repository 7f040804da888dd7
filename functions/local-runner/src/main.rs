//! The binary `highwater`.

use std::process::ExitCode;

use clap::Parser;
use local_runner::{cli::Cli, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(cli.command.log_level());
    local_runner::run(cli).await
}
