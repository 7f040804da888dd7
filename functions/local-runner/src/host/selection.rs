//! Which functions of the table a process hosts, and what they need together.

use shared::config::Settings;

use super::{
    function::Row,
    port::Port,
    ports::Need,
    table::{TABLE, row},
};

/// A selection of functions.
#[derive(Clone)]
pub struct Selection(Vec<&'static Row>);

impl Selection {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Selection(TABLE.iter().collect())
    }

    /// These and the functions that they invoke; no name at all means all. A name without a function selects none.
    #[must_use]
    pub fn only(names: &[impl AsRef<str>]) -> Self {
        if names.is_empty() {
            return Selection::all();
        }
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let invoked = names.iter().filter_map(|name| row(name)).flat_map(|row| row.invokes);
        let wanted: Vec<&str> = names.iter().chain(invoked).copied().collect();
        Selection(TABLE.iter().filter(|row| wanted.contains(&row.name)).collect())
    }

    /// Their rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.0.iter().copied()
    }

    /// Whether all are selected.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.len() == TABLE.len()
    }

    /// Whether one of them needs this service.
    #[must_use]
    pub fn needs(&self, need: Need) -> bool {
        self.0.iter().any(|row| row.needs.contains(&need))
    }

    /// The services to connect to: what they need, and what they ask where it is configured.
    #[must_use]
    pub fn services(&self, settings: &Settings) -> Vec<Need> {
        let is_configured = |need| match need {
            Need::Kafka => settings.kafka.is_some(),
            Need::Storage => settings.storage.is_some(),
            Need::Redis => settings.redis.is_some(),
            Need::Locations => !settings.locations.is_empty(),
            Need::Target => settings.kafka.is_some(),
        };
        let asks = |need| self.0.iter().any(|row| row.asks.contains(&need));
        Need::ALL.into_iter().filter(|need| self.needs(*need) || (asks(*need) && is_configured(*need))).collect()
    }

    /// Whether a listener is opened: the Invoke API where all functions are hosted, the console's with its page, another
    /// where a function answers on it.
    #[must_use]
    pub fn listens(&self, port: Port) -> bool {
        match port {
            Port::Invoke => self.is_all(),
            Port::Console => self.0.iter().any(|row| row.name == web_console::NAME),
            port => self.0.iter().any(|row| row.listens.contains(&port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(names: &[&str]) -> Vec<Need> {
        Selection::only(names).services(&Settings::default())
    }

    #[test]
    fn functions_that_work_on_the_storage_alone_need_nothing_else() {
        assert_eq!(needs(&[segment_expirer::NAME]), [Need::Storage]);
        assert_eq!(needs(&[backup_control::NAME]), [Need::Storage]);
    }

    #[test]
    fn a_verifier_asks_kafka_and_redis_where_they_are_configured() {
        assert_eq!(needs(&[backup_verifier::NAME]), [Need::Storage]);
        let text = "[kafka]\nbootstrap_servers = \"k:9092\"\n[redis]\nurl = \"redis://r\"";
        let settings = shared::config::Draft::new(text, &Default::default()).unwrap().settings().unwrap();
        assert_eq!(
            Selection::only(&[backup_verifier::NAME]).services(&settings),
            [Need::Kafka, Need::Storage, Need::Redis]
        );
    }

    #[test]
    fn a_query_alone_needs_redis_and_opens_the_listeners_for_figures() {
        assert_eq!(needs(&[metrics_query::NAME]), [Need::Redis]);
        let selection = Selection::only(&[metrics_query::NAME]);
        assert!(selection.listens(Port::Metrics) && selection.listens(Port::Query));
        assert!(!selection.listens(Port::Invoke) && !selection.listens(Port::Console));
    }

    #[test]
    fn a_consumer_brings_the_aggregator_that_it_invokes() {
        assert_eq!(needs(&[metrics_consumer::NAME]), [Need::Kafka, Need::Redis]);
        let selection = Selection::only(&[metrics_consumer::NAME]);
        let names: Vec<_> = selection.rows().map(|row| row.name).collect();
        assert_eq!(names, [metrics_consumer::NAME, metrics_aggregator::NAME]);
    }

    #[test]
    fn no_name_means_all_and_all_open_the_invoke_api() {
        let selection = Selection::only(&[] as &[&str]);
        assert!(selection.is_all() && selection.listens(Port::Invoke));
    }
}
