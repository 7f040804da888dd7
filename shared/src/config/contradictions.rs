//! Settings that are right by themselves and wrong together, and what is allowed but may surprise.

use super::{
    BackupName, BackupSettings, Problem, Settings,
    listen::{Listen, ListenSettings},
    units::{ByteSize, Span},
};
use crate::segment::Compression;

/// A record that waits longer than this for its segment is at the mercy of Kafka's retention.
const AGE_SURPRISING: Span = Span::seconds(24 * 60 * 60);

/// What cannot be meant.
pub(super) fn problems(settings: &Settings) -> Vec<Problem> {
    let backups =
        settings.backups.iter().flat_map(|(name, backup)| of_backup(name, backup, settings.writer.memory_bytes_max));
    let together =
        backups.chain(of_listeners(&settings.listen)).chain(of_topics(settings)).chain(of_locations(settings));
    together.chain(of_credentials(settings)).chain(of_certificate(&settings.listen)).collect()
}

/// What may surprise.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    settings
        .backups
        .iter()
        .flat_map(|(name, backup)| surprises(name, backup, settings.writer.memory_bytes_max))
        .collect()
}

fn of_backup(name: &BackupName, backup: &BackupSettings, memory: ByteSize) -> Vec<Problem> {
    let setting = |key: &str| format!("backups.{name}.{key}");
    let (topics, segment) = (&backup.topics, &backup.segment);
    let mut problems = vec![];
    if !topics.include.is_empty() && topics.takes_nothing() {
        let excluded: Vec<String> = topics.exclude.iter().map(ToString::to_string).collect();
        let why = "takes out everything that topics.include takes in: this backup would have no topic";
        problems.push(Problem::bad(&setting("topics.exclude"), &format!("{excluded:?}"), why));
    }
    if segment.compression == Compression::None && segment.bytes_max > memory {
        let why = format!(
            "is more than writer.memory_bytes_max = {memory}, what a process has for records and unfinished segments, so that no segment could become as large"
        );
        problems.push(Problem::bad(&setting("segment.bytes_max"), &segment.bytes_max.to_string(), &why));
    }
    problems
}

fn surprises(name: &BackupName, backup: &BackupSettings, memory: ByteSize) -> Vec<String> {
    let segment = &backup.segment;
    let mut warnings = vec![];
    if segment.bytes_max > memory {
        warnings.push(format!(
            "backups.{name}.segment.bytes_max = {}: a process has writer.memory_bytes_max = {memory} for all records and unfinished segments, so that segments may be closed earlier",
            segment.bytes_max
        ));
    }
    if segment.age_max > AGE_SURPRISING {
        warnings.push(format!(
            "backups.{name}.segment.age_max = {}: a record may wait so long before it is stored, and Kafka's retention does not wait",
            segment.age_max
        ));
    }
    warnings
}

/// Two listeners at one port.
fn of_listeners(listen: &ListenSettings) -> Vec<Problem> {
    let all = [
        ("metrics", &listen.metrics),
        ("gateway", &listen.gateway),
        ("query", &listen.query),
        ("invoke", &listen.invoke),
        ("console", &listen.console),
    ];
    let mut problems = vec![];
    for (index, (name, at)) in all.iter().enumerate() {
        for (other, _) in all[..index].iter().filter(|(_, other)| meet(at, other)) {
            let why = format!("is the port of listen.{other} too: give each its own, or set one to \"off\"");
            problems.push(Problem::bad(&format!("listen.{name}"), &format!("{:?}", at.to_string()), &why));
        }
    }
    problems
}

fn meet(one: &Listen, other: &Listen) -> bool {
    let parts = |at: &Listen| match at {
        Listen::Off => None,
        Listen::At(address) => address.rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())),
    };
    let (Some((host, port)), Some((other_host, other_port))) = (parts(one), parts(other)) else { return false };
    let anywhere = |host: &str| matches!(host, "0.0.0.0" | "[::]");
    port == other_port && port != "0" && (host == other_host || anywhere(&host) || anywhere(&other_host))
}

fn of_topics(settings: &Settings) -> Option<Problem> {
    let topic = &settings.metrics.topic;
    let why = "is the topic of objects to replicate: its messages are no metrics";
    (*topic == settings.replication.topic).then(|| Problem::bad("metrics.topic", &format!("{topic:?}"), why))
}

/// Half a pair of keys.
fn of_credentials(settings: &Settings) -> Vec<Problem> {
    let storage = settings.storage.iter().map(|storage| ("storage".to_owned(), storage));
    let locations = settings.locations.iter().map(|(name, location)| (format!("locations.{name}"), location));
    let halves = storage.chain(locations).filter_map(|(section, place)| {
        let (id, secret) = (place.access_key_id.is_some(), place.secret_access_key.is_some());
        of_pair(&section, ("access_key_id", id), ("secret_access_key", secret))
    });
    halves.collect()
}

/// A certificate without its key, or the other way round.
fn of_certificate(listen: &ListenSettings) -> Option<Problem> {
    let (certificate, key) = (listen.tls_certificate_file.is_some(), listen.tls_key_file.is_some());
    of_pair("listen", ("tls_certificate_file", certificate), ("tls_key_file", key))
}

/// One of two settings that belong together, each with whether it is set.
fn of_pair(section: &str, one: (&str, bool), other: (&str, bool)) -> Option<Problem> {
    let (set, missing) = match (one, other) {
        ((one, true), (other, false)) => (one, other),
        ((one, false), (other, true)) => (other, one),
        _ => return None,
    };
    let remedy = format!("{section}.{set} is, and one means nothing without the other: set both, or neither");
    Some(Problem::missing(&format!("{section}.{missing}"), &remedy))
}

/// A location that is the backup's own place.
fn of_locations(settings: &Settings) -> Vec<Problem> {
    let Some(storage) = &settings.storage else { return vec![] };
    let same = settings
        .locations
        .iter()
        .filter(|(_, location)| location.url == storage.url && location.endpoint_url == storage.endpoint_url);
    same.map(|(name, location)| {
        let why = "is storage.url: a location is another place than the one that is copied";
        Problem::bad(&format!("locations.{name}.url"), &format!("{:?}", location.url.to_string()), why)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Draft;

    #[test]
    fn half_a_pair_of_keys_is_a_problem_of_the_section_that_has_it() {
        let half = |section: &str, key: &str| error(&format!("[{section}]\nurl = \"s3://b/p\"\n{key} = \"x\""));
        assert!(half("storage", "access_key_id").starts_with("storage.secret_access_key is not set"));
        assert!(half("storage", "secret_access_key").starts_with("storage.access_key_id is not set"));
        assert!(half("locations.paris", "access_key_id").starts_with("locations.paris.secret_access_key is not set"));
    }

    fn error(text: &str) -> String {
        Draft::new(text, &BTreeMap::new()).unwrap().settings().unwrap_err().to_string()
    }

    fn warnings(text: &str) -> Vec<String> {
        Draft::new(text, &BTreeMap::new()).unwrap().settings().unwrap().warnings()
    }

    fn backup(topics: &str, segment: &str) -> String {
        format!("[backups.main]\ntopics = {{ {topics} }}\nsegment = {{ {segment} }}\n")
    }

    #[test]
    fn a_selection_that_excludes_all_it_includes_is_refused() {
        for topics in [
            "include = [\"orders\"], exclude = [\"orders\"]",
            "include = [\"orders\", \"clicks\"], exclude = [\"*\"]",
            "include = [\"a-*\", \"b\"], exclude = [\"a-*\", \"/b|c/\"]",
        ] {
            let problem = error(&backup(topics, ""));
            assert!(problem.starts_with("backups.main.topics.exclude = ["), "{problem}");
        }
        assert!(
            warnings(&backup("include = [\"orders\", \"clicks-*\"], exclude = [\"orders\", \"*-tmp\"]", "")).is_empty()
        );
    }

    #[test]
    fn a_segment_larger_than_the_memory_is_refused_where_it_cannot_be_and_warned_of_else() {
        let problem = error(&backup("include = [\"*\"]", "bytes_max = \"1GiB\", compression = \"none\""));
        assert!(
            problem.starts_with("backups.main.segment.bytes_max = 1GiB: is more than writer.memory_bytes_max = 96MiB"),
            "{problem}"
        );
        let warning = warnings(&backup("include = [\"*\"]", "bytes_max = \"1GiB\""));
        assert!(warning[0].contains("bytes_max = 1GiB: a process has writer.memory_bytes_max = 96MiB"), "{warning:?}");
        let large = backup("include = [\"*\"]", "bytes_max = \"1GiB\", compression = \"none\"");
        assert!(warnings(&format!("{large}[writer]\nmemory_bytes_max = \"1GiB\"")).is_empty());
        let problem = error("[writer]\nmemory_bytes_max = \"1000KiB\"");
        assert!(problem.starts_with("writer.memory_bytes_max = 1000KiB: must be 1MiB or more"), "{problem}");
        let warning = warnings(&backup("include = [\"*\"]", "age_max = \"2days\""));
        assert!(warning[0].contains("age_max = 2days"), "{warning:?}");
    }

    #[test]
    fn two_listeners_at_one_port_are_refused_by_name() {
        let problem = error("[listen]\nquery = \"127.0.0.1:9000\"");
        assert!(
            problem.starts_with("listen.query = \"127.0.0.1:9000\": is the port of listen.metrics too"),
            "{problem}"
        );
        let problem = error("[listen]\nmetrics = \"0.0.0.0:3001\"");
        assert!(
            problem.starts_with("listen.invoke = \"127.0.0.1:3001\": is the port of listen.metrics too"),
            "{problem}"
        );
        assert!(
            warnings(
                "[listen]\nmetrics = \"127.0.0.1:0\"\nquery = \"127.0.0.1:0\"\ngateway = \"off\"\nconsole = \"off\""
            )
            .is_empty()
        );
    }

    #[test]
    fn a_topic_or_a_place_that_has_another_meaning_is_refused() {
        let problem = error("[metrics]\ntopic = \"backbeat-replication\"");
        assert!(problem.starts_with("metrics.topic = \"backbeat-replication\": is the topic of objects"), "{problem}");
        let problem = error("[storage]\nurl = \"s3://bucket/a\"\n[locations.there]\nurl = \"s3://bucket/a\"");
        assert!(problem.starts_with("locations.there.url = \"s3://bucket/a\": is storage.url"), "{problem}");
    }
}
