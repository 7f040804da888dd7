//! `highwater config`: the settings as they hold, and what can be set.

use serde::Serialize;
use serde_json::Value;
use shared::{
    adapters::settings::{self, SettingsError},
    config::{
        Settings,
        environment::variable_of,
        keys::{KEYS, Key, SCHEMA},
    },
};

use crate::{
    cli::ConfigCommand,
    failure::{Failure, Verdict},
    output::{self, Report},
};

/// What `config check` prints.
#[derive(Debug, Serialize)]
struct Checked {
    valid: bool,
    /// With defaults filled in, and secrets hidden.
    settings: Option<Settings>,
    warnings: Vec<String>,
    problems: Vec<String>,
}

pub(super) async fn run(config: Option<&str>, command: ConfigCommand) -> Result<Verdict, Failure> {
    match command {
        ConfigCommand::Check(args) => check(config, args.json).await,
        ConfigCommand::Reference => output::text(&reference()).map(|()| Verdict::Good),
        ConfigCommand::Schema => output::line(&*SCHEMA).map(|()| Verdict::Good),
    }
}

async fn check(config: Option<&str>, json: bool) -> Result<Verdict, Failure> {
    let checked = match settings::load(config).await {
        Ok(settings) => {
            Checked { valid: true, warnings: settings.warnings(), settings: Some(settings), problems: vec![] }
        }
        Err(SettingsError::Wrong { problems, .. }) => {
            let problems = problems.0.iter().map(ToString::to_string).collect();
            Checked { valid: false, settings: None, warnings: vec![], problems }
        }
        Err(error) => return Err(error.into()),
    };
    output::print(&checked, json)?;
    Ok(if checked.valid { Verdict::Good } else { Verdict::Wrong })
}

/// Every setting, section by section, from the schema that they are read by.
fn reference() -> String {
    let mut text = "# Settings\n\n`NAME` stands for a name of yours.\n".to_owned();
    let mut section = "";
    for key in KEYS.iter() {
        if key.path[0] != section {
            section = &key.path[0];
            text += &format!("\n## {section}\n\n| setting | variable | default | meaning |\n|---|---|---|---|\n");
        }
        text += &row(key);
    }
    text
}

fn row(key: &Key) -> String {
    let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
    let path: Vec<String> = key.path.iter().map(|part| part.replace('*', "NAME")).collect();
    let default = match &key.schema["default"] {
        Value::Null => String::new(),
        default => format!("`{}`", cell(&default.to_string())),
    };
    let meaning = cell(key.schema["description"].as_str().unwrap_or_default());
    format!("| `{}` | `{}` | {default} | {meaning} |\n", path.join("."), variable_of(&path))
}

impl Report for Checked {
    const SCHEMA: &'static str = "highwater.config.v1";

    fn text(&self) -> String {
        let lines =
            |mark: &str, texts: &[String]| texts.iter().map(|text| format!("{mark}{text}\n")).collect::<String>();
        let settings = self.settings.as_ref().map(|settings| {
            // Settings are tables of texts, numbers and lists, all of which TOML has.
            toml::to_string(settings).expect("settings can be written as TOML")
        });
        lines("# warning: ", &self.warnings) + &lines("", &self.problems) + &settings.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_setting_with_its_variable_default_and_meaning() {
        let text = reference();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), KEYS.len());
        let row = |start: &str| rows.iter().find(|row| row.starts_with(start)).unwrap_or_else(|| panic!("no {start}"));
        let console = row("| `listen.console` | `HIGHWATER_LISTEN_CONSOLE` |");
        assert!(console.contains("`\"127.0.0.1:8080\"`") && console.contains("The console."), "{console}");
        row("| `backups.NAME.topics.include` | `HIGHWATER_BACKUPS_NAME_TOPICS_INCLUDE` |");
    }
}
