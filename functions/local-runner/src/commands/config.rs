//! `highwater config`: the settings as they hold, and what can be set.

use serde::Serialize;
use shared::{
    adapters::settings::{self, SettingsError},
    config::{Settings, keys::SCHEMA},
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
