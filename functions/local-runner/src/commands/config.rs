//! `highwater config`: the settings as they hold, and what can be set.

use serde::Serialize;
use shared::{
    adapters::settings,
    config::{Settings, keys::SCHEMA},
};

use crate::{
    cli::ConfigCommand,
    failure::{Failure, Verdict},
    output::{self, Report},
};

#[derive(Debug, Serialize)]
struct Checked {
    /// With defaults filled in, and secrets hidden.
    settings: Settings,
    warnings: Vec<String>,
}

pub(super) async fn run(config: Option<&str>, command: ConfigCommand) -> Result<Verdict, Failure> {
    match command {
        ConfigCommand::Check(args) => {
            let settings = settings::load(config).await?;
            let warnings = settings.warnings();
            output::print(&Checked { settings, warnings }, args.json)?;
        }
        ConfigCommand::Schema => output::line(&*SCHEMA)?,
    }
    Ok(Verdict::Good)
}

impl Report for Checked {
    const SCHEMA: &'static str = "highwater.config.v1";

    fn text(&self) -> String {
        let settings = toml::to_string(&self.settings).expect("settings are tables of texts, numbers and lists");
        let warnings: String = self.warnings.iter().map(|warning| format!("# warning: {warning}\n")).collect();
        format!("{warnings}{settings}")
    }
}
