//! Locations that are configured no more: the sets of what they lack would stay in the store for ever, since nobody replicates to
//! them. A location that no instance has had in its configuration for a day is forgotten, so that instances with another
//! configuration, as during an update, take nothing from each other.
//!
//! ```text
//! key    hw1:locations:<metrics topic>,    field  <location>    order  when it was configured last
//! ```

use shared::{
    metrics::replication::{counters, frontiers},
    ports::store::{Operation, Query, Register, Value},
    record::Millis,
};

use crate::{Context, MonitorError};

const FORGOTTEN_AFTER_MS: i64 = 86_400_000;
/// That a location is configured is said again when it was said so long ago.
const SAID_AGAIN_AFTER_MS: i64 = 3_600_000;

/// Notes which locations are configured, and forgets those that were.
pub(crate) async fn retire(context: &Context) -> Result<(), MonitorError> {
    let key = counters::configured(&context.metrics_topic);
    let read = context.store.read(&[Query::Registers(key.clone())]).await?;
    let Some(Value::Registers(held)) = read.first() else { return Ok(()) };
    context.apply(&operations(&key, held, &context.locations, context.clock.now())).await
}

fn operations(key: &str, held: &[Register], configured: &[String], now: Millis) -> Vec<Operation> {
    let age_ms = |register: &Register| {
        let said = register.order.first().and_then(|at| i64::try_from(*at).ok()).unwrap_or(0);
        now.0.saturating_sub(said)
    };
    let is_said =
        |name: &String| held.iter().any(|register| register.field == *name && age_ms(register) < SAID_AGAIN_AFTER_MS);
    let say = |name: &String| Operation::Max {
        key: key.to_owned(),
        field: name.clone(),
        order: vec![now.0.unsigned_abs()],
        value: String::new(),
    };
    let gone = held
        .iter()
        .filter(|register| !configured.contains(&register.field) && age_ms(register) >= FORGOTTEN_AFTER_MS)
        .flat_map(|register| forget(key, &register.field));
    configured.iter().filter(|name| !is_said(name)).map(say).chain(gone).collect()
}

fn forget(key: &str, location: &str) -> Vec<Operation> {
    let keys = [counters::pending(location), counters::missing(location), frontiers::key(location)];
    let forget = keys.into_iter().map(|key| Operation::Forget { key });
    forget.chain([Operation::Remove { key: key.to_owned(), fields: vec![location.to_owned()] }]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = FORGOTTEN_AFTER_MS;

    fn held(name: &str, at: i64) -> Register {
        Register { field: name.into(), order: vec![at.unsigned_abs()], value: String::new() }
    }

    fn keys(held: &[Register], configured: &[&str], now: i64) -> Vec<String> {
        let configured: Vec<String> = configured.iter().map(|name| (*name).to_owned()).collect();
        operations("k", held, &configured, Millis(now)).iter().map(|operation| operation.key().to_owned()).collect()
    }

    #[test]
    fn a_location_that_nobody_configured_for_a_day_is_forgotten_with_its_sets() {
        let paris = [held("paris", 1_000)];
        assert_eq!(keys(&paris, &[], 1_000 + DAY - 1), [""; 0]);
        let expected =
            ["hw1:crr:5:paris,7:pending,", "hw1:crr:5:paris,7:missing,", "hw1:location-frontiers:5:paris,", "k"];
        assert_eq!(keys(&paris, &[], 1_000 + DAY), expected);
        assert_eq!(keys(&paris, &["paris"], 1_000 + DAY), ["k"], "it is said again");
    }

    #[test]
    fn a_configured_location_is_noted_once_an_hour() {
        assert_eq!(keys(&[], &["paris"], 1_000), ["k"]);
        assert_eq!(keys(&[held("paris", 1_000)], &["paris"], 1_000 + SAID_AGAIN_AFTER_MS - 1), [""; 0]);
        assert_eq!(keys(&[held("paris", 1_000)], &["paris"], 1_000 + SAID_AGAIN_AFTER_MS), ["k"]);
    }
}
