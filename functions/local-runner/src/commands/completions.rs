//! `highwater completions`: what a shell needs to complete a command line.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{
    cli::Cli,
    failure::{Failure, Verdict},
    output,
};

pub(super) fn run(shell: Shell) -> Result<Verdict, Failure> {
    output::text(&script(shell)).map(|()| Verdict::Good)
}

fn script(shell: Shell) -> String {
    let mut script = vec![];
    generate(shell, &mut Cli::command(), "highwater", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell} does not know {}", command.get_name());
            }
        }
    }
}
