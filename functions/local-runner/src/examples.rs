//! Examples for the help of each command. A test has the command line take every one of them.

macro_rules! examples {
    ($($name:ident: $($line:literal)*;)*) => {
        $(pub(crate) const $name: &str = concat!("Examples:" $(, "\n  ", $line)*);)*
    };
}

examples! {
    DEV: "highwater dev" "highwater dev --data-dir /tmp/try --seed 7";
    SERVE: "highwater serve --config highwater.toml" "highwater serve --only segment-writer,lag-monitor";
    BACKUP: "highwater backup" "highwater backup --topic orders-* --json";
    ACCEPT_LOSS: "highwater accept-loss" "highwater accept-loss orders --partition 3 --range 120..180" "highwater accept-loss --yes";
    INVOKE: "highwater invoke lag-monitor" "highwater invoke segment-expirer @payload.json";
    PAUSE: "highwater pause main" "highwater pause main --topic orders";
    RESUME: "highwater resume main" "highwater resume main --topic orders";
    REPLICATE: "highwater replicate" "highwater replicate paris --existing";
    TOPICS: "highwater topics" "highwater topics --data-dir .highwater --json";
    SEGMENTS: "highwater segments orders" "highwater segments orders-* --backup main";
    CAT: "highwater cat orders --partition 0 --from 100 --to 200" "highwater cat orders --data-dir .highwater";
    RESTORE: "highwater restore --topic orders --dry-run" "highwater restore --topic orders --target orders-copy"
        "highwater restore plan.toml --to 2026-11-27T08:00:00Z" "highwater restore --topic orders --groups billing-*";
    DRILL: "highwater drill --sample" "highwater drill --topic orders-*";
    SCHEMAS_BACKUP: "highwater schemas backup" "highwater schemas backup --json";
    SCHEMAS_RESTORE: "highwater schemas restore --dry-run" "highwater schemas restore --subject orders-value --map-ids copy";
    SCHEMAS_VERIFY: "highwater schemas verify";
    SQL: "highwater sql orders" "highwater sql orders --data-dir .highwater";
    GROUPS: "highwater groups" "highwater groups --json";
    VERIFY: "highwater verify" "highwater verify --deep" "highwater verify --location paris" "highwater verify --repair";
    DOCTOR: "highwater doctor" "highwater doctor --json";
    HEALTH: "highwater health";
    CONFIG_CHECK: "highwater config check" "highwater config check --config highwater.toml";
    CONFIG_REFERENCE: "highwater config reference" "highwater config reference --json";
    CONFIG_SCHEMA: "highwater config schema";
    METRICS_REFERENCE: "highwater metrics reference";
    COMPLETIONS: "highwater completions bash" "highwater completions zsh";
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, every_command};

    #[test]
    fn every_command_has_examples_that_the_command_line_takes() {
        for (name, command) in every_command() {
            let help = command.get_after_help().unwrap_or_else(|| panic!("{name} has no examples")).to_string();
            let lines: Vec<&str> = help.lines().skip(1).map(str::trim).collect();
            assert!(help.starts_with("Examples:") && !lines.is_empty(), "{name}: {help}");
            for line in lines {
                assert!(line.starts_with(&name), "{line} is no example of {name}");
                if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                    panic!("{line}: {error}");
                }
            }
        }
    }
}
