//! `highwater doctor`: looks at everything that Highwater needs, and says what to mend.

mod kafka;
mod redis;
mod storage;

use serde::Serialize;
use shared::{
    adapters::{
        connect::{self, KAFKA_REMEDY, REDIS_REMEDY, STORAGE_REMEDY, StartError},
        kafka::client_version,
        settings,
    },
    config::Settings,
};

use crate::{
    cli::OutputArgs,
    failure::{Failure, Verdict},
    output::{self, Report, chain},
};

/// What was looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Examined {
    pub(super) version: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Good,
    Warning,
    Wrong,
}

pub(super) async fn run(config: Option<&str>, args: OutputArgs) -> Result<Verdict, Failure> {
    let settings = settings::load(config).await?;
    let mut examined = Examined { version: env!("CARGO_PKG_VERSION"), findings: vec![] };
    examined.good("versions", format!("highwater {}, librdkafka {}", examined.version, client_version()));
    configuration(&settings, &mut examined);
    let (kafka, objects, store) =
        tokio::join!(connect::kafka(&settings), connect::storage(&settings), connect::redis(&settings));
    if let Some(kafka) = examined.connected("kafka", kafka, KAFKA_REMEDY) {
        kafka::examine(&settings, &*kafka, &mut examined).await;
        if let Ok(objects) = &objects {
            storage::owners(&settings, &*kafka, &**objects, &mut examined).await;
        }
    }
    if let Some(objects) = examined.connected("storage", objects, STORAGE_REMEDY) {
        storage::permissions(&*objects, &mut examined).await;
        storage::race(objects.clone(), "conditional writes", &mut examined).await;
        storage::clock(&*objects, &mut examined);
    }
    storage::locations(&settings, &mut examined).await;
    if let Some(store) = examined.connected("redis", store, REDIS_REMEDY) {
        redis::answers_in_time(&*store, &mut examined).await;
        redis::server(&settings, &mut examined).await;
    }
    output::print(&examined, args.json)?;
    Ok(if examined.is_good() { Verdict::Good } else { Verdict::Wrong })
}

impl Examined {
    fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.outcome != Outcome::Wrong)
    }

    fn add(&mut self, what: &'static str, outcome: Outcome, detail: impl Into<String>, remedy: Option<&str>) {
        let remedy = remedy.map(str::to_owned);
        self.findings.push(Finding { what, outcome, detail: detail.into(), remedy });
    }

    fn good(&mut self, what: &'static str, detail: impl Into<String>) {
        self.add(what, Outcome::Good, detail, None);
    }

    fn wrong(&mut self, what: &'static str, error: &dyn std::error::Error, remedy: &str) {
        self.add(what, Outcome::Wrong, chain(error), Some(remedy));
    }

    fn connected<T>(&mut self, what: &'static str, port: Result<T, StartError>, remedy: &str) -> Option<T> {
        match port {
            Ok(port) => {
                self.good(what, "answers, and lets us in");
                Some(port)
            }
            Err(error) => {
                let (detail, answers) = told(&error);
                // What answers and refuses has said itself what to mend.
                self.add(what, Outcome::Wrong, detail, Some(remedy).filter(|_| !answers));
                None
            }
        }
    }
}

/// What went wrong, without what to do about it where nothing answers; and whether something does.
fn told(error: &StartError) -> (String, bool) {
    match error {
        StartError::Kafka(error) => (chain(error), !error.retry()),
        StartError::Storage(error) => (chain(error), !error.retry()),
        StartError::Redis(error) => (chain(error), !error.retry()),
        StartError::NoAnswer { what, .. } => (format!("{what} did not answer in time"), false),
        other => (chain(other), true),
    }
}

fn configuration(settings: &Settings, examined: &mut Examined) {
    for warning in settings.warnings() {
        examined.add("configuration", Outcome::Warning, warning, None);
    }
    match settings.backups() {
        Ok(backups) => {
            let names: Vec<String> = backups.keys().map(ToString::to_string).collect();
            examined.good("configuration", format!("backups: {}", names.join(", ")));
        }
        Err(problem) => examined.wrong("configuration", &problem, "name at least one backup"),
    }
}

impl Report for Examined {
    const SCHEMA: &'static str = "highwater.doctor.v1";

    fn text(&self) -> String {
        let line = |finding: &Finding| {
            let mark = match finding.outcome {
                Outcome::Good => "good   ",
                Outcome::Warning => "warning",
                Outcome::Wrong => "WRONG  ",
            };
            let remedy = finding.remedy.as_ref().map(|remedy| format!("\n         {remedy}")).unwrap_or_default();
            format!("{mark}  {}: {}{remedy}\n", finding.what, finding.detail)
        };
        format!("highwater {}\n", self.version) + &self.findings.iter().map(line).collect::<String>()
    }
}

#[cfg(test)]
mod tests;
