//! Redis: whether it answers in time, which version it is, and whether it may throw figures away.

use std::time::Duration;

use shared::{
    adapters::{
        connect::REDIS_REMEDY,
        redis::{RedisStore, ServerFacts},
    },
    config::Settings,
    ports::store::{Query, Store, StoreError},
};

use super::{Examined, Outcome};

/// A store of figures that takes longer to answer makes pages slow.
const SLOW: Duration = Duration::from_millis(100);
/// The first version whose scripts and answers are tested.
const VERSION_MIN: u32 = 6;

#[allow(clippy::disallowed_methods, reason = "it measures how long an answer takes")]
pub(super) async fn answers_in_time(store: &dyn Store, examined: &mut Examined) {
    let since = tokio::time::Instant::now();
    match store.read(&[Query::Text("hw1:probe".to_owned()), Query::Run]).await {
        Err(error) => examined.wrong("redis answers", &error, REDIS_REMEDY),
        Ok(_) => {
            let took = since.elapsed();
            let outcome = if took > SLOW { Outcome::Warning } else { Outcome::Good };
            let remedy = (took > SLOW).then_some("put it nearer, or make it larger");
            examined.add("redis answers", outcome, format!("within {} ms", took.as_millis()), remedy);
        }
    }
}

/// What the server tells of itself.
pub(super) async fn server(settings: &Settings, examined: &mut Examined) {
    let Ok(settings) = settings.redis() else { return };
    let facts = async { RedisStore::open(settings)?.facts().await };
    judge(facts.await, examined);
}

fn judge(facts: Result<Option<ServerFacts>, StoreError>, examined: &mut Examined) {
    let facts = match facts {
        Ok(Some(facts)) => facts,
        Ok(None) => {
            let detail = "this user may not ask for INFO: version and eviction policy are not known";
            return examined.add(
                "redis server",
                Outcome::Warning,
                detail,
                Some("allow INFO, or see that maxmemory-policy is noeviction"),
            );
        }
        Err(error) => return examined.wrong("redis server", &error, REDIS_REMEDY),
    };
    let is_old =
        facts.version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|it| it < VERSION_MIN);
    let outcome = if is_old { Outcome::Warning } else { Outcome::Good };
    let remedy = is_old.then_some("use Redis 6 or later: older ones are not tested");
    examined.add("redis version", outcome, facts.version, remedy);
    match facts.eviction_policy.as_str() {
        "noeviction" => examined.good("redis eviction", "noeviction: what is written stays"),
        policy => {
            let detail =
                format!("maxmemory-policy is {policy}: figures may be thrown away, and are counted again then");
            examined.add("redis eviction", Outcome::Warning, detail, Some("set maxmemory-policy to noeviction"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: &str, policy: &str) -> Vec<(Outcome, &'static str)> {
        let facts = ServerFacts { version: version.to_owned(), eviction_policy: policy.to_owned() };
        let mut examined = Examined::default();
        judge(Ok(Some(facts)), &mut examined);
        examined.findings.iter().map(|it| (it.outcome, it.what)).collect()
    }

    #[test]
    fn a_redis_that_evicts_or_is_old_is_warned_of() {
        let (good, warning) = (Outcome::Good, Outcome::Warning);
        assert_eq!(told("7.0.15", "noeviction"), [(good, "redis version"), (good, "redis eviction")]);
        assert_eq!(told("5.0.1", "allkeys-lru"), [(warning, "redis version"), (warning, "redis eviction")]);
    }

    #[test]
    fn a_user_who_may_not_ask_is_told_so() {
        let mut examined = Examined::default();
        judge(Ok(None), &mut examined);
        assert!(examined.is_good() && examined.findings[0].detail.contains("INFO"));
    }
}
