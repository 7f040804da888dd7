//! `highwater invoke`: one function, once, as Lambda would run it.

use serde_json::{Value, json};
use shared::adapters::settings;

use crate::{
    cli::InvokeArgs,
    failure::{Failure, Verdict},
    host::{Host, selection::Selection},
    output,
};

pub(super) async fn run(config: Option<&str>, args: InvokeArgs) -> Result<Verdict, Failure> {
    let payload = payload(&args.payload).await?;
    let settings = settings::load(config).await?;
    let name = &args.function;
    let host = Host::connect(&settings, &Selection::only(&[name]), None).await?;
    let answer = host.functions.call(name, payload).await;
    match answer.ok_or_else(|| Failure::Usage(format!("{name} is not hosted")))? {
        Ok(value) => output::line(&value).map(|()| Verdict::Good),
        Err(error) => {
            output::line(&json!({ "errorMessage": error.message, "errorType": error.error_type }))?;
            Ok(Verdict::Wrong)
        }
    }
}

async fn payload(text: &str) -> Result<Value, Failure> {
    let text = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => {
            let unreadable = |source| Failure::Io { what: format!("the payload {file:?} cannot be read"), source };
            tokio::fs::read_to_string(file).await.map_err(unreadable)?
        }
    };
    serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("the payload is no JSON: {error}")))
}
