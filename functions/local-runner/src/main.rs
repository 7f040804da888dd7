//! The binary `highwater`.

use clap::Parser;
use local_runner::{cli::Cli, telemetry};
use shared::adapters::allocator;

fn main() {
    allocator::give_back_freed_memory();
    let cli = Cli::parse();
    telemetry::start(cli.command.log_level());
    run(cli);
}

#[tokio::main]
async fn run(cli: Cli) {
    let code = local_runner::run(cli).await;
    // The command has closed what must be closed. What is left are clients with nothing under way, and waiting for their
    // threads would take longer than a whole run that finds nothing to do.
    std::process::exit(code.into())
}
