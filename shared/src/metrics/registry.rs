//! Every metric of `/metrics`, once: its name, type, labels, unit and help. The exposition writes these and no others, and
//! `highwater metrics reference` prints them.
//!
//! An entry is `CONSTANT: Type "name" [labels] "unit" "help";`. The unit is empty where a value is a plain number. Labels
//! stand in the order in which they are written. A series may lack one: `backup` where there is only one backup, `partition`
//! where partitions are put together.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, but for a new beginning.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by upper bounds, their sum and their number.
    Histogram,
}

impl Kind {
    /// As Prometheus has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The labels that its series can have, in their order.
    pub labels: &'static [&'static str],
    /// What its values are given in; empty for a plain number.
    pub unit: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// Metrics of one subject.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The subject.
    pub title: &'static str,
    /// Its metrics, in the order of the page.
    pub metrics: &'static [Metric],
}

/// Every metric.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    SECTIONS.iter().flat_map(|section| section.metrics)
}

macro_rules! registry {
    ($($title:literal {
        $($constant:ident: $kind:ident $name:literal [$($label:ident),*] $unit:literal $help:literal;)*
    })*) => {
        $($(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                labels: &[$(stringify!($label)),*],
                unit: $unit,
                help: $help,
            };
        )*)*
        /// Every metric, by subject.
        pub const SECTIONS: &[Section] = &[$(Section { title: $title, metrics: &[$($constant),*] }),*];
    };
}

registry! {
    "Backups" {
        BACKUP_SINK_BYTES_COUNT: Gauge "backup_sink_bytes_count" [backup, topic] "bytes"
            "Total number of bytes present in the storage (affected by chosen compression algorithm)";
        BACKUP_SINK_BYTES_COUNT_TOTAL: Counter "backup_sink_bytes_count_total" [backup, topic] "bytes"
            "Total number of bytes present in the storage, including expired segments (affected by chosen compression algorithm)";
        BACKUP_SINK_JOBS_COUNT: Counter "backup_sink_jobs_count" [backup, topic] "records"
            "Total number of records sent to the storage since program start";
        BACKUP_SINK_JOBS_IDLERATIO: Gauge "backup_sink_jobs_idleratio" [backup, topic] ""
            "Indicator of time spent idle: 0=fully busy, 1=fully idle";
        BACKUP_SINK_OFFSET: Counter "backup_sink_offset" [backup, topic, partition] ""
            "Last offset backed-up for each topic's partition";
        BACKUP_SINK_RECORDS_COUNT: Gauge "backup_sink_records_count" [backup, topic] "records"
            "Total number of records present in the storage sink";
        BACKUP_SINK_RECORDS_COUNT_TOTAL: Counter "backup_sink_records_count_total" [backup, topic] "records"
            "Total number of records written to the storage sink, including expired segments";
        BACKUP_SINK_RECORDS_FILTERED_COUNT: Counter "backup_sink_records_filtered_count" [backup, topic] "records"
            "Total number of records filtered out (user-defined filters, plugins, ...)";
        BACKUP_SINK_RECORDS_SIZE: Gauge "backup_sink_records_size" [backup, topic] "bytes"
            "Total size of backup'd records (key + headers + payload)";
        BACKUP_SINK_RECORDS_SIZE_TOTAL: Counter "backup_sink_records_size_total" [backup, topic] "bytes"
            "Total size of backup'd records (key + headers + payload), including expired segments";
        BACKUP_SINK_SEGMENTS_COUNT: Gauge "backup_sink_segments_count" [backup, topic] "segments"
            "Number of segments (.kan files) written to the storage";
        BACKUP_SINK_SEGMENTS_COUNT_TOTAL: Counter "backup_sink_segments_count_total" [backup, topic] "segments"
            "Number of segments (.kan files) written to the storage, including expired segments";
        BACKUP_STATE: Gauge "backup_state" [backup, topic] ""
            "State of this topic's backup task: 0=Created, 1xx=Running, 2xx=Paused, 3xx=Backoff, 8xx=Done, 9xx=Failed";
        BACKUP_TOPIC_PARTITION_PROGRESS: Gauge "backup_topic_partition_progress" [backup, topic, partition] ""
            "Progress of a topic's partition backup as a number between 0 and 1";
        BACKUP_TOPIC_PROGRESS: Gauge "backup_topic_progress" [backup, topic] ""
            "Overall progress of a topic's backup as a number between 0 and 1";
        BACKUP_GAP_OFFSETS_TOTAL: Counter "highwater_backup_gap_offsets_total" [backup, topic] "offsets"
            "Offsets in declared gaps: Kafka had deleted them before they were stored";
        BACKUP_GAPS_TOTAL: Counter "highwater_backup_gaps_total" [backup, topic] "gaps"
            "Declared gaps: ranges that Kafka had deleted before they were stored";
        BACKUP_LAG_BYTES: Gauge "highwater_backup_lag_bytes" [backup, topic, partition] "bytes"
            "Estimated size of what is in the log and not in the storage: its records times their mean size so far";
        BACKUP_LAG_RECORDS: Gauge "highwater_backup_lag_records" [backup, topic, partition] "records"
            "Offsets of the log, as it was last observed, that are not in the storage: at most so many records";
        BACKUP_LAG_SECONDS: Gauge "highwater_backup_lag_seconds" [backup, topic, partition] "seconds"
            "Age of the oldest record that is not in the storage";
        BACKUP_LAST_GAP_TIMESTAMP_SECONDS: Gauge "highwater_backup_last_gap_timestamp_seconds" [backup, topic] "seconds since 1970"
            "When the latest gap was declared";
        BACKUP_LAST_SEGMENT_TIMESTAMP_SECONDS: Gauge "highwater_backup_last_segment_timestamp_seconds" [backup, topic, partition] "seconds since 1970"
            "When the last segment was written to the storage";
        BACKUP_LOG_DIVERGED_OFFSET: Gauge "highwater_backup_log_diverged_offset" [backup, topic, partition] ""
            "First offset at which the log is another one than what is stored: the backup waits for a person";
        BACKUP_OPEN_TRANSACTION_SECONDS: Gauge "highwater_backup_open_transaction_seconds" [backup, topic, partition] "seconds"
            "For how long an open transaction has held back what can be stored; 0: none does";
        BACKUP_SECONDS_TO_LOSS: Gauge "highwater_backup_seconds_to_loss" [backup, topic, partition] "seconds"
            "Time until Kafka's retention, by age and size, may delete the oldest record that is not in the storage: +Inf while nothing is at risk";
        FILTER_ERRORS_TOTAL: Counter "highwater_filter_errors_total" [backup, topic] "records"
            "Records that the backup's filter could not judge, which are kept";
        BACKUP_UNREADABLE_PARTITIONS: Gauge "highwater_backup_unreadable_partitions" [backup, topic] "partitions"
            "Partitions whose last segment cannot be read in the storage: they have no figures, and their topic no counts";
        JOB_STALE: Gauge "highwater_job_stale" [backup, topic] ""
            "1 when a backup task has not said in time how it is: its backup_state then leaves it out";
        PARTITION_SERIES_LEFT_OUT: Gauge "highwater_partition_series_left_out" [backup] "partitions"
            "Partitions without series of their own, because there are more than metrics.partition_series_max";
        JOBS_STATE: Gauge "jobs_state" [backup, state] "topics"
            "Number of jobs in a given running state";
    }
    "Running processes" {
        MEMORY_BUDGET_LIMIT_BYTES: Gauge "highwater_memory_budget_limit_bytes" [] "bytes"
            "Memory that the running processes may use for records and unfinished segments";
        MEMORY_BUDGET_USED_BYTES: Gauge "highwater_memory_budget_used_bytes" [] "bytes"
            "Memory that the running processes use for records and unfinished segments";
        METRICS_MESSAGES_DROPPED_TOTAL: Counter "highwater_metrics_messages_dropped_total" [process] "messages"
            "Messages for the metrics topic that a running process gave up, because too many waited";
        METRICS_PUBLISH_FAILURES_TOTAL: Counter "highwater_metrics_publish_failures_total" [process] "attempts"
            "Attempts of a running process to publish figures on the metrics topic that failed, since it started";
        STORAGE_ERRORS_TOTAL: Counter "highwater_storage_errors_total" [kind, operation, process] "requests"
            "Requests of a running process to the storage that failed, since it started";
        STORAGE_REQUESTS_TOTAL: Counter "highwater_storage_requests_total" [operation, process] "requests"
            "Requests of a running process to the storage, since it started";
        TOPIC_MISSING: Gauge "highwater_topic_missing" [backup, topic] ""
            "1 for a topic that a backup names and Kafka does not have";
    }
    "Verifications and drills" {
        VERIFY_FINDINGS: Gauge "highwater_verify_findings" [backup, mode] "findings"
            "What the last verification of a backup found wrong; 0: it is good";
        VERIFY_LAST_TIMESTAMP_SECONDS: Gauge "highwater_verify_last_timestamp_seconds" [backup, mode] "seconds since 1970"
            "When a backup was last verified";
        DRILL_GOOD: Gauge "highwater_drill_good" [backup, mode] ""
            "Whether everything came back as it was stored in the last drill";
        DRILL_LAST_TIMESTAMP_SECONDS: Gauge "highwater_drill_last_timestamp_seconds" [backup, mode] "seconds since 1970"
            "When a backup was last drilled";
        DRILL_LAST_SUCCESS_TIMESTAMP_SECONDS: Gauge "highwater_drill_last_success_timestamp_seconds" [backup, mode] "seconds since 1970"
            "When a backup was last drilled and was good";
        DRILL_DURATION_SECONDS: Gauge "highwater_drill_duration_seconds" [backup, mode] "seconds"
            "How long the last drill of a backup took";
        DRILL_RECORDS: Gauge "highwater_drill_records" [backup, mode] "records"
            "Records that came back as they were stored in the last drill";
    }
    "Restores" {
        RESTORE_BYTES_COUNT: Gauge "restore_bytes_count" [namespace, job, topic] "bytes"
            "Bytes of records (key, value, headers) that are restored";
        RESTORE_BYTES_TOTAL: Gauge "restore_bytes_total" [namespace, job, topic] "bytes"
            "Bytes of records that there are to restore: at most so many until the restore is done, then exactly";
        RESTORE_JOBS_ERRORS: Counter "restore_jobs_errors" [namespace, job, topic] "errors"
            "What failed in this run of the restore, attempts that were repeated included";
        RESTORE_PARTITIONS_COUNT: Gauge "restore_partitions_count" [namespace, job, topic] "segments"
            "Segments that are restored";
        RESTORE_PARTITIONS_TOTAL: Gauge "restore_partitions_total" [namespace, job, topic] "segments"
            "Segments that there are to restore";
        RESTORE_PROGRESS: Gauge "restore_progress" [namespace, job, topic] ""
            "Progress of a topic's restore as a number between 0 and 1: 1 when, and only when, the last record is committed";
        RESTORE_RECORDS_COUNT: Gauge "restore_records_count" [namespace, job, topic] "records"
            "Records that are restored";
        RESTORE_RECORDS_FILTERED_COUNT: Gauge "restore_records_filtered_count" [namespace, job, topic] "records"
            "Records that the restore's filter left out";
        RESTORE_RECORDS_TOTAL: Gauge "restore_records_total" [namespace, job, topic] "records"
            "Records that there are to restore: at most so many until the restore is done, then exactly";
        RESTORE_STATE: Gauge "restore_state" [namespace, job, topic] ""
            "State of a topic's restore: 0=Created, 1xx=Restoring (102 Initializing), 2xx=stopped before its end, 8xx=Done, 9xx=Failed (903 Invalid)";
        RESTORE_BYTES_PER_SECOND: Gauge "highwater_restore_bytes_per_second" [namespace, job, topic] "bytes per second"
            "Bytes of records a second, over this run";
        RESTORE_LAST_REPORT_TIMESTAMP_SECONDS: Gauge "highwater_restore_last_report_timestamp_seconds" [namespace, job, topic] "seconds since 1970"
            "When the restore last said how far it is";
        RESTORE_RECORDS_PER_SECOND: Gauge "highwater_restore_records_per_second" [namespace, job, topic] "records per second"
            "Records a second, over this run";
        RESTORE_SECONDS_LEFT: Gauge "highwater_restore_seconds_left" [namespace, job, topic] "seconds"
            "About how long the restore will take still; absent while it does not run";
        RESTORE_PARTITION_PROGRESS: Gauge "highwater_restore_partition_progress" [namespace, job, topic, partition] ""
            "Progress of a source partition's restore as a number between 0 and 1";
        RESTORE_PARTITION_RECORDS_COUNT: Gauge "highwater_restore_partition_records_count" [namespace, job, topic, partition] "records"
            "Records of a source partition that are restored";
        RESTORE_PARTITION_RECORDS_TOTAL: Gauge "highwater_restore_partition_records_total" [namespace, job, topic, partition] "records"
            "Records of a source partition that there are to restore: at most so many until it is done, then exactly";
        RESTORE_JOBS_STATE: Gauge "restore_jobs_state" [state] "topics"
            "Topics whose restore is in a state: Draft, Ready, Invalid, Initializing, Restoring, Failed, Done";
    }
    "Schema registries" {
        SCHEMA_REGISTRY_JOB_LAST_REPORT_TIMESTAMP_SECONDS: Gauge "highwater_schema_registry_job_last_report_timestamp_seconds" [namespace, job, kind] "seconds since 1970"
            "When a job of a schema registry last said how it is";
        SCHEMA_REGISTRY_JOB_STATE: Gauge "highwater_schema_registry_job_state" [namespace, job, kind] ""
            "State of the last backup or restore of a schema registry: 1xx=running, 8xx=Done, 9xx=Failed (903 Invalid)";
        SCHEMA_REGISTRY_JOB_VERSIONS_COUNT: Gauge "highwater_schema_registry_job_versions_count" [namespace, job, kind] "versions"
            "Versions of schemas that the last backup of a registry holds, or that its last restore found or wrote";
        SCHEMA_REGISTRY_JOB_VERSIONS_TOTAL: Gauge "highwater_schema_registry_job_versions_total" [namespace, job, kind] "versions"
            "Versions of schemas that there are";
    }
    "Scheduled functions" {
        FUNCTION_FAILURES_TOTAL: Counter "highwater_function_failures_total" [function, kind] "failures"
            "What runs of scheduled functions could not do, by what is to blame";
        FUNCTION_LAST_SUCCESS_TIMESTAMP_SECONDS: Gauge "highwater_function_last_success_timestamp_seconds" [backup, function] "seconds since 1970"
            "When a scheduled function last did all it had to";
        FUNCTION_LAST_FAILURE_TIMESTAMP_SECONDS: Gauge "highwater_function_last_failure_timestamp_seconds" [backup, function] "seconds since 1970"
            "When a scheduled function last could not do something; it failed last where this is later than its last success";
    }
    "Metrics topic" {
        METRICS_MESSAGES_SKIPPED_TOTAL: Counter "highwater_metrics_messages_skipped_total" [reason] "messages"
            "Messages of the metrics topic that could not be counted, or not in their interval";
    }
    "Replication" {
        REPLICATION_COMPLETED_BYTES_TOTAL: Counter "highwater_replication_completed_bytes_total" [location, size] "bytes"
            "Bytes of completed replication operations, by the size of the object";
        REPLICATION_COMPLETED_OPERATIONS_TOTAL: Counter "highwater_replication_completed_operations_total" [location, size] "operations"
            "Completed replication operations, by the size of the object";
        REPLICATION_FAILED_BYTES_TOTAL: Counter "highwater_replication_failed_bytes_total" [location] "bytes"
            "Bytes of failed attempts at replication operations";
        REPLICATION_FAILED_OPERATIONS_TOTAL: Counter "highwater_replication_failed_operations_total" [location, reason] "attempts"
            "Failed attempts at replication operations, by reason";
        REPLICATION_QUEUED_OPERATIONS_TOTAL: Counter "highwater_replication_queued_operations_total" [location] "attempts"
            "Attempts at replication operations that were asked for: each is pending, completed or failed";
        REPLICATION_LAG_SECONDS: Gauge "highwater_replication_lag_seconds" [location] "seconds"
            "Age of the oldest replication operation whose object is not at the location, pending or failed; 0: it lacks none";
        REPLICATION_LATENCY_RECENT_SECONDS: Gauge "highwater_replication_latency_recent_seconds" [location, quantile] "seconds"
            "Estimate of how long it took from queued to completed, of operations completed in the last window";
        REPLICATION_OLDEST_PENDING_SECONDS: Gauge "highwater_replication_oldest_pending_seconds" [location] "seconds"
            "Age of the oldest pending replication operation; 0: none is pending";
        REPLICATION_PENDING_BYTES: Gauge "highwater_replication_pending_bytes" [location] "bytes"
            "Bytes of pending replication operations";
        REPLICATION_PENDING_OPERATIONS: Gauge "highwater_replication_pending_operations" [location] "operations"
            "Pending replication operations";
        REPLICATION_LATENCY_SECONDS: Histogram "highwater_replication_latency_seconds" [location] "seconds"
            "How long it took from queued to completed";
        REPLICATION_ALL_LAG_SECONDS: Gauge "highwater_replication_all_lag_seconds" [] "seconds"
            "highwater_replication_lag_seconds of all locations together";
        REPLICATION_ALL_LATENCY_RECENT_SECONDS: Gauge "highwater_replication_all_latency_recent_seconds" [quantile] "seconds"
            "highwater_replication_latency_recent_seconds of all locations together";
        REPLICATION_ALL_OLDEST_PENDING_SECONDS: Gauge "highwater_replication_all_oldest_pending_seconds" [] "seconds"
            "highwater_replication_oldest_pending_seconds of all locations together";
        REPLICATION_ALL_PENDING_OPERATIONS: Gauge "highwater_replication_all_pending_operations" [] "operations"
            "highwater_replication_pending_operations of all locations together";
        REPLICATION_FRONTIER_OFFSET: Gauge "highwater_replication_frontier_offset" [backup, location, topic, partition] ""
            "Up to this offset, excluded, the location holds everything of the partition's backup";
        REPLICATION_LAG_RECORDS: Gauge "highwater_replication_lag_records" [backup, location, topic, partition] "records"
            "Offsets of the partition's backup that are stored and not at the location: at most so many records";
    }
}

#[cfg(test)]
mod tests;
