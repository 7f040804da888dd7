//! Which functions are hosted, and what they need.

use clap::ValueEnum;

/// A function, by the name that Lambda, the Invoke API and `--only` use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Function {
    /// Kafka to segments.
    SegmentWriter,
    /// Old segments out of the backup.
    SegmentExpirer,
    /// Log ends, new topics, figures healed.
    LagMonitor,
    /// The metrics topic to folded increments.
    MetricsConsumer,
    /// Increments to Redis.
    MetricsAggregator,
    /// Questions about figures.
    MetricsQuery,
    /// Backups and topics paused and resumed.
    BackupControl,
}

impl Function {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Function::SegmentWriter => "segment-writer",
            Function::SegmentExpirer => segment_expirer::NAME,
            Function::LagMonitor => "lag-monitor",
            Function::MetricsConsumer => "metrics-consumer",
            Function::MetricsAggregator => "metrics-aggregator",
            Function::MetricsQuery => "metrics-query",
            Function::BackupControl => backup_control::NAME,
        }
    }

    /// The function of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Function::value_variants().iter().copied().find(|function| function.name() == name)
    }
}

/// A selection of functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosted(Vec<Function>);

impl Hosted {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Hosted(Function::value_variants().to_vec())
    }

    /// These; none at all means all. metrics-consumer brings metrics-aggregator, which it invokes.
    #[must_use]
    pub fn only(functions: &[Function]) -> Self {
        if functions.is_empty() {
            return Hosted::all();
        }
        let mut functions = functions.to_vec();
        if functions.contains(&Function::MetricsConsumer) {
            functions.push(Function::MetricsAggregator);
        }
        Hosted(functions)
    }

    /// Whether a function is hosted.
    #[must_use]
    pub fn has(&self, function: Function) -> bool {
        self.0.contains(&function)
    }

    /// Whether all are.
    #[must_use]
    pub fn is_all(&self) -> bool {
        Function::value_variants().iter().all(|function| self.has(*function))
    }

    /// Whether section `kafka` is needed.
    #[must_use]
    pub fn needs_kafka(&self) -> bool {
        self.has_any(&[Function::SegmentWriter, Function::LagMonitor, Function::MetricsConsumer])
    }

    /// Whether sections `storage` and `backups` are needed.
    #[must_use]
    pub fn needs_storage(&self) -> bool {
        self.has_any(&[
            Function::SegmentWriter,
            Function::SegmentExpirer,
            Function::LagMonitor,
            Function::BackupControl,
        ])
    }

    /// Whether section `redis` is needed.
    #[must_use]
    pub fn needs_redis(&self) -> bool {
        self.has_any(&[Function::LagMonitor, Function::MetricsAggregator, Function::MetricsQuery])
    }

    fn has_any(&self, functions: &[Function]) -> bool {
        functions.iter().any(|function| self.has(*function))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_the_name_the_command_line_has_for_it() {
        for function in Function::value_variants() {
            assert_eq!(Function::of_name(function.name()), Some(*function));
            assert_eq!(function.to_possible_value().unwrap().get_name(), function.name());
        }
        assert_eq!(Function::of_name("segment-restorer"), None);
    }

    #[test]
    fn a_query_alone_needs_redis_and_nothing_else() {
        let hosted = Hosted::only(&[Function::MetricsQuery]);
        assert_eq!((hosted.needs_kafka(), hosted.needs_storage(), hosted.needs_redis()), (false, false, true));
        assert!(!hosted.is_all());
    }

    #[test]
    fn an_expirer_alone_needs_the_storage_and_nothing_else() {
        let hosted = Hosted::only(&[Function::SegmentExpirer]);
        assert_eq!((hosted.needs_kafka(), hosted.needs_storage(), hosted.needs_redis()), (false, true, false));
    }

    #[test]
    fn pausing_needs_the_storage_and_nothing_else() {
        let hosted = Hosted::only(&[Function::BackupControl]);
        assert_eq!((hosted.needs_kafka(), hosted.needs_storage(), hosted.needs_redis()), (false, true, false));
    }

    #[test]
    fn a_consumer_brings_the_aggregator_that_it_invokes() {
        let hosted = Hosted::only(&[Function::MetricsConsumer]);
        assert!(hosted.has(Function::MetricsAggregator) && hosted.needs_redis() && hosted.needs_kafka());
        assert!(Hosted::only(&[]).is_all());
    }
}
