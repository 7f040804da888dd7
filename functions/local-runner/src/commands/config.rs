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
pub(super) struct Checked {
    pub(super) valid: bool,
    /// With defaults filled in, and secrets hidden.
    pub(super) settings: Option<Settings>,
    pub(super) warnings: Vec<String>,
    pub(super) problems: Vec<String>,
}

pub(super) async fn run(config: Option<&str>, command: ConfigCommand) -> Result<Verdict, Failure> {
    match command {
        ConfigCommand::Check(args) => check(config, args.json).await,
        ConfigCommand::Reference(args) => output::print(&reference(), args.json).map(|()| Verdict::Good),
        ConfigCommand::Schema { .. } => output::line(&*SCHEMA).map(|()| Verdict::Good),
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

/// What `config reference` prints: every setting, from the schema that they are read by.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    pub(super) settings: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    /// Its place in the file, with `NAME` for a name of the reader's.
    pub(super) setting: String,
    pub(super) variable: String,
    /// `null` where it has none.
    pub(super) default: Value,
    pub(super) meaning: String,
}

pub(super) fn reference() -> Reference {
    Reference { settings: KEYS.iter().map(Setting::of).collect() }
}

impl Setting {
    fn of(key: &Key) -> Self {
        let path: Vec<String> = key.path.iter().map(|part| part.replace('*', "NAME")).collect();
        Setting {
            setting: path.join("."),
            variable: variable_of(&path),
            default: key.schema["default"].clone(),
            meaning: key.schema["description"].as_str().unwrap_or_default().to_owned(),
        }
    }

    fn section(&self) -> &str {
        self.setting.split('.').next().unwrap_or_default()
    }

    fn row(&self) -> String {
        let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
        let default = match &self.default {
            Value::Null => String::new(),
            default => format!("`{}`", cell(&default.to_string())),
        };
        format!("| `{}` | `{}` | {default} | {} |\n", self.setting, self.variable, cell(&self.meaning))
    }
}

impl Report for Reference {
    const SCHEMA: &'static str = "highwater.config-reference.v1";

    fn text(&self) -> String {
        let mut text = "# Settings\n\n`NAME` stands for a name of yours.\n".to_owned();
        for section in self.settings.chunk_by(|one, next| one.section() == next.section()) {
            let name = section[0].section();
            text += &format!("\n## {name}\n\n| setting | variable | default | meaning |\n|---|---|---|---|\n");
            text.extend(section.iter().map(Setting::row));
        }
        text
    }
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
        let text = reference().text();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), KEYS.len());
        let row = |start: &str| rows.iter().find(|row| row.starts_with(start)).unwrap_or_else(|| panic!("no {start}"));
        let console = row("| `listen.console` | `HIGHWATER_LISTEN_CONSOLE` |");
        assert!(console.contains("`\"127.0.0.1:8080\"`") && console.contains("The console."), "{console}");
        row("| `backups.NAME.topics.include` | `HIGHWATER_BACKUPS_NAME_TOPICS_INCLUDE` |");
    }
}
