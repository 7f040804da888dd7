//! The configuration as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    environment::variable_of,
    keys::{ANY, KEYS, Key},
    units::Span,
    *,
};

const SAMPLE: &str = r#"
[kafka]
bootstrap_servers = "broker:9092"
[storage]
url = "s3://bucket/prefix"
[redis]
url = "redis://localhost:6379"
[backups.main]
topics = { include = ["orders-*", "/pay(ment)?s/"], exclude = ["*-tmp"] }
segment = { bytes_max = "64MiB", age_max = "60s", compression = "zstd:1" }
[locations.us-east-1]
url = "s3://other-bucket/prefix"
[metrics]
topic = "backbeat-metrics"
interval_s = 300
window_s = 900
object_window_s = 86400
[event_gateway]
enabled = true
[listen]
metrics = "127.0.0.1:9000"
gateway = "127.0.0.1:8082"
query = "127.0.0.1:8900"
invoke = "127.0.0.1:3001"
console = "127.0.0.1:8080"
"#;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Problems> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Draft::new(text, &environment)?.settings()
}

fn error(text: &str, environment: &[(&str, &str)]) -> String {
    read(text, environment).unwrap_err().to_string()
}

fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
}

#[test]
fn the_sample_of_the_design_is_read_and_says_what_the_defaults_say() {
    let settings = read(SAMPLE, &[]).unwrap();
    assert_eq!(settings.metrics, metrics::MetricsSettings::default());
    assert_eq!(settings.listen, listen::ListenSettings::default());
    assert_eq!(settings.backups[&"main".parse().unwrap()].segment, SegmentSettings::default());
    assert!(settings.warnings().is_empty());
}

#[test]
fn nothing_at_all_is_a_configuration_whose_needs_say_what_to_set() {
    let settings = read("", &[]).unwrap();
    assert!(settings.kafka().unwrap_err().to_string().contains("KAFKA_BOOTSTRAP_SERVERS"));
    assert!(settings.storage().unwrap_err().to_string().contains("STORAGE_URL"));
    assert!(settings.redis().unwrap_err().to_string().contains("REDIS_URL"));
    assert!(settings.backups().unwrap_err().to_string().contains("HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE"));
}

#[test]
fn the_environment_is_laid_over_the_file() {
    let settings = read(
        SAMPLE,
        &[("HIGHWATER_METRICS_REFRESH_S", "60"), ("REDIS_URL", "redis://alias"), ("HIGHWATER_LISTEN_QUERY", "off")],
    )
    .unwrap();
    assert_eq!(settings.metrics.refresh_s, 60);
    assert_eq!(settings.redis().unwrap().shown_url(), "redis://alias");
    assert_eq!(settings.listen.query, listen::Listen::Off);
}

#[test]
fn the_environment_alone_is_enough() {
    let environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", "k:9092"),
        ("STORAGE_URL", "s3://b"),
        ("REDIS_URL", "redis://r"),
        ("HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE", "orders,clicks"),
    ];
    let settings = read("", &environment).unwrap();
    let backup = &settings.backups().unwrap()[&"main".parse().unwrap()];
    assert!(backup.topics.selects("clicks", &settings.own_topics()));
}

/// `name` with its middle letter doubled.
fn misspelled(name: &str) -> String {
    let middle = name.len() / 2;
    format!("{}{}", &name[..=middle], &name[middle..])
}

fn nested(path: &[String], value: Value) -> Map<String, Value> {
    let (first, rest) = path.split_first().expect("a path is not empty");
    let inner = if rest.is_empty() { value } else { Value::Object(nested(rest, value)) };
    Map::from_iter([(first.clone(), inner)])
}

#[test]
fn every_setting_misspelled_in_the_file_is_refused_with_the_right_name() {
    for key in keys() {
        for at in (0..key.path.len()).filter(|at| key.path[*at] != ANY) {
            let right = key.path_of("main");
            let mut wrong = right.clone();
            wrong[at] = misspelled(&right[at]);
            let text = toml::to_string(&nested(&wrong, json!("x"))).unwrap();
            let expected = Problem::Unknown { setting: wrong[..=at].join("."), nearest: right[..=at].join(".") };
            let problems = Draft::new(&text, &BTreeMap::new()).unwrap().settings().unwrap_err();
            assert!(problems.0.contains(&expected), "{text}gives {problems}, not {expected}");
        }
    }
}

#[test]
fn every_setting_misspelled_in_the_environment_is_refused_with_the_right_name() {
    for key in keys() {
        for at in (0..key.path.len()).filter(|at| key.path[*at] != ANY) {
            let right = key.path_of("main");
            let mut wrong = right.clone();
            wrong[at] = misspelled(&right[at]);
            let problem = error("", &[(&variable_of(&wrong), "x")]);
            assert_eq!(
                problem,
                format!("{} is no setting; the nearest is {}", variable_of(&wrong), variable_of(&right))
            );
        }
    }
}

#[test]
fn every_setting_can_be_given_in_both_forms() {
    for key in keys() {
        let path = key.path_of("main");
        let text = toml::to_string(&nested(&path, json!("x"))).unwrap();
        for result in [read(&text, &[]), read("", &[(&variable_of(&path), "x")])] {
            let unknown = result.err().into_iter().flat_map(|p| p.0).find(|p| matches!(p, Problem::Unknown { .. }));
            assert_eq!(unknown, None, "{}", path.join("."));
        }
    }
}

#[test]
fn retention_that_would_keep_nothing_or_no_reader_safe_is_refused() {
    let problem = |retention: &str| error(&format!("{SAMPLE}[backups.main.retention]\n{retention}"), &[]);
    let told = |retention: &str, wanted: &str| assert!(problem(retention).contains(wanted), "{}", problem(retention));
    told(
        "delete_after = \"60s\"",
        "backups.main.retention.delete_after = 1m: must be longer than segment.age_max = 1m",
    );
    told("delete_after = \"30d\"\ngrace = \"500ms\"", "backups.main.retention.grace = 500ms: must be 1s or more");
    told("delete_after = \"30d\"\ncheck_every = \"0s\"", "backups.main.retention.check_every = 0s: must be 1s or more");
    told("grace = \"1h\"", "missing field `delete_after`");
    let kept = read(&format!("{SAMPLE}[backups.main.retention]\ndelete_after = \"30d\""), &[]).unwrap();
    let retention = kept.backups[&"main".parse().unwrap()].retention.unwrap();
    assert_eq!((retention.delete_after, retention.grace), (Span::seconds(30 * 86_400), Span::seconds(3_600)));
}

#[test]
fn a_bad_value_is_named_with_its_setting_its_reason_and_what_it_should_be() {
    let problem = error("[metrics]\npartitions = \"four\"", &[]);
    assert_eq!(
        problem,
        "metrics.partitions = \"four\": invalid type: string \"four\", expected u16\n  it is: Its partitions, when Highwater creates it."
    );
    let problem = error("[backups.main]\ntopics = { include = [\"orders\", \"/(/\"] }", &[]);
    assert!(
        problem.starts_with("backups.main.topics.include[1] = \"/(/\": /(/ is no usable regular expression"),
        "{problem}"
    );
    let problem = error("", &[("HIGHWATER_LISTEN_METRICS", "9000")]);
    assert!(
        problem.starts_with("listen.metrics (HIGHWATER_LISTEN_METRICS) = \"9000\": \"9000\" is no address"),
        "{problem}"
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let problems = read(
        "[metrics]\npartitions = -1\n[listen]\nquery = \"x\"\nquerry = \"x\"\n[storage]\n",
        &[("HIGHWATER_X", "1")],
    )
    .unwrap_err();
    assert_eq!(problems.0.len(), 5, "{problems}");
}

#[test]
fn values_that_contradict_each_other_are_refused() {
    assert!(error("[metrics]\nwindow_s = 1000", &[]).contains("must be a multiple of metrics.interval_s = 300"));
    assert!(error("[metrics]\ninterval_s = 0", &[]).contains("metrics.interval_s = 0: must be 1 or more"));
    assert!(error("[metrics]\ntopic = \"a b\"", &[]).contains("a topic's name has"));
    assert!(error("[backups.main]\ntopics = { include = [] }", &[]).contains("selects no topic"));
}

#[test]
fn a_filter_that_does_not_compile_is_named_with_its_backup_pattern_expression_and_place() {
    let text = |keep: &str| {
        format!(
            "[backups.main]\ntopics = {{ include = [\"*\"] }}\n[[backups.main.filters]]\ntopics = \"orders-*\"\nkeep = {keep:?}"
        )
    };
    let problem = error(&text("value.json.amount >> 10"), &[]);
    let expected = "backups.main.filters[0]: the filter of topics \"orders-*\" is no CEL expression: \"value.json.amount >> 10\", line 1, column 20: ";
    assert!(problem.starts_with(expected), "{problem}");
    let settings = read(&text("value.json.amount > 10 && headers['x'] == 'y'"), &[]).unwrap();
    assert_eq!(read(&toml::to_string(&settings).unwrap(), &[]).unwrap(), settings);
    let problem = error(&text("true").replace("topics = \"orders-*\"", "topic = \"orders-*\""), &[]);
    assert!(problem.starts_with("backups.main.filters[0].topic = \"orders-*\": unknown field `topic`"), "{problem}");
}

#[test]
fn filters_can_be_given_in_the_environment() {
    let filters = r#"[{ topics = "orders", keep = "size < 100" }]"#;
    let environment = [("HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE", "*"), ("HIGHWATER_BACKUPS_MAIN_FILTERS", filters)];
    let settings = read("", &environment).unwrap();
    let filters = &settings.backups[&"main".parse().unwrap()].filters;
    assert_eq!((filters[0].topics.to_string(), filters[0].keep.to_string()), ("orders".into(), "size < 100".into()));
}

#[test]
fn an_interval_that_backbeat_does_not_share_is_warned_of() {
    let settings = read("[metrics]\ninterval_s = 60", &[]).unwrap();
    assert!(settings.warnings()[0].contains("metrics.interval_s = 60"));
}

#[test]
fn a_name_that_cannot_be_a_key_is_refused() {
    let problem = error("[backups.Main]\ntopics = { include = [\"a\"] }", &[]);
    assert!(problem.contains("\"Main\" cannot be a backup's name"), "{problem}");
    let problem = error("[locations.all]\nurl = \"s3://b\"", &[]);
    assert!(problem.contains("\"all\" cannot be a location's name"), "{problem}");
}

#[test]
fn a_syntax_error_tells_the_place_and_never_the_line() {
    let problem = error("[redis]\nurl = \"redis://me:hunter2@host", &[]);
    assert!(problem.starts_with("line 2, column "), "{problem}");
    assert!(!problem.contains("hunter2"), "{problem}");
}

#[test]
fn a_secret_shows_in_no_error_and_no_output() {
    let shown = [
        error("[redis]\nurl = 12345678", &[]),
        error("[storage]\nurl = \"http://me:12345678@host\"\nx = 1", &[]),
        error("[redis]\nurl = { fil = \"/12345678\" }", &[]),
        format!("{:?}", read("[redis]\nurl = \"redis://me:12345678@host\"", &[]).unwrap()),
        serde_json::to_string(&read("[redis]\nurl = \"redis://me:12345678@host\"", &[]).unwrap()).unwrap(),
    ];
    for text in shown {
        assert!(!text.contains("12345678"), "{text}");
    }
}

#[test]
fn a_seal_key_that_can_be_guessed_is_refused_and_not_shown() {
    let of =
        |integrity: &str| format!("[backups.main]\ntopics = {{ include = [\"a\"] }}\nintegrity = {{ {integrity} }}");
    let text = error(&of("hmac_key = \"hunter2\", former_hmac_keys = \"hunter3\""), &[]);
    assert!(text.contains("backups.main.integrity.hmac_key: a key has 32 characters or more"), "{text}");
    assert!(text.contains("former_hmac_keys") && !text.contains("hunter"), "{text}");
    let text = error(&of("since = \"2026-11-22T15:00:00Z\""), &[]);
    assert!(text.contains("backups.main.integrity.since: means nothing without integrity.hmac_key"), "{text}");
    let long = "0123456789abcdef0123456789abcdef";
    let key = format!("hmac_key = \"{long}\", former_hmac_keys = \"{long}1\\n{long}2\"");
    let rule = read(&of(&key), &[]).unwrap().backups.values().next().unwrap().integrity.rule().unwrap();
    assert_eq!(rule.keys.len(), 3);
}

#[test]
fn a_secret_can_be_in_a_file() {
    let mut draft = Draft::new("[redis]\nurl = { file = \"/run/secrets/redis\" }", &BTreeMap::new()).unwrap();
    let files = draft.secret_files();
    assert_eq!(files, [(vec!["redis".to_owned(), "url".to_owned()], "/run/secrets/redis".to_owned())]);
    draft.set_secret(&files[0].0, "redis://from-a-file\n");
    assert_eq!(draft.settings().unwrap().redis().unwrap().url.reveal(), "redis://from-a-file");
}

#[test]
fn a_secrets_file_can_be_named_in_the_environment() {
    let draft =
        Draft::new("", &[("HIGHWATER_REDIS_URL_FILE".to_owned(), "/run/secrets/redis".to_owned())].into()).unwrap();
    assert_eq!(draft.secret_files()[0].1, "/run/secrets/redis");
}

#[test]
fn a_section_in_the_wrong_place_is_told_where_it_belongs() {
    let told = |text: &str| Draft::new(text, &Default::default()).unwrap().settings().unwrap_err().to_string();
    for (text, place) in [
        ("[segment]\nbytes_max = \"1MiB\"", "the nearest is backups.NAME.segment"),
        ("bootstrap_servers = \"x:9092\"", "the nearest is kafka.bootstrap_servers"),
    ] {
        assert!(told(text).contains(place), "{}", told(text));
    }
}

#[test]
fn the_schema_names_every_compression() {
    let key = keys::KEYS.iter().find(|key| key.path.last().is_some_and(|name| name == "compression")).unwrap();
    let text = key.schema["description"].as_str().unwrap();
    for name in ["none", "lz4", "snappy", "gzip", "zstd"] {
        assert!(text.contains(name), "{name} is not in {text:?}");
    }
}
