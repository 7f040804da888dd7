use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const ALERTS: &str = include_str!("../../../../infra/prometheus/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../infra/grafana/highwater.json");
/// The pages that tell of metrics.
const PAGES: [&str; 2] = [include_str!("../../../../docs/metrics.md"), include_str!("../../../../docs/monitoring.md")];

/// Words of the language that no bracket follows.
const WORDS: [&str; 3] = ["and", "or", "unless"];
/// What Prometheus gives each target that it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["up", "job"];

/// The expressions of the rules: from `expr:` to the next key of the rule.
fn alert_queries() -> Vec<String> {
    let rules = ALERTS.split("\n        expr:").skip(1);
    let is_key = |line: &&str| ["for:", "labels:"].iter().any(|key| line.trim().starts_with(key));
    rules.map(|rule| rule.lines().take_while(|line| !is_key(line)).collect::<Vec<_>>().join("\n")).collect()
}

fn panel_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The names of metrics and labels in a query: neither texts, durations, functions nor words of the language.
fn names(query: &str) -> BTreeSet<String> {
    let outside_texts: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let mut names = BTreeSet::new();
    let mut rest = &*outside_texts;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let end = word.find(|sign| !is_part(sign)).unwrap_or(word.len());
        rest = &word[end..];
        let name = &word[..end];
        let is_function = ["(", "by ", "without "].iter().any(|next| rest.trim_start().starts_with(next));
        if !is_function && !name.starts_with(|sign: char| sign.is_ascii_digit()) && !WORDS.contains(&name) {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn a_name_stands_once_and_says_the_unit_where_prometheus_wants_it() {
    let names: BTreeSet<&str> = all().map(|metric| metric.name).collect();
    assert_eq!(names.len(), all().count());
    for Metric { name, unit, .. } in all() {
        let base = name.strip_suffix("_total").unwrap_or(name);
        let expected = [
            ("_timestamp_seconds", "seconds since 1970"),
            ("_bytes_per_second", "bytes per second"),
            ("_seconds", "seconds"),
            ("_bytes", "bytes"),
        ];
        if let Some((_, expected)) = expected.into_iter().find(|(end, _)| base.ends_with(end)) {
            assert_eq!(*unit, expected, "{name}");
        }
    }
}

#[test]
fn alert_rules_and_the_dashboard_use_only_names_of_the_registry() {
    let known: BTreeSet<&str> = all().flat_map(|it| it.labels.iter().chain([&it.name])).copied().collect();
    let (alerts, panels) = (alert_queries(), panel_queries());
    assert_eq!(alerts.len(), ALERTS.matches("- alert: ").count());
    for query in alerts.iter().chain(&panels) {
        for name in names(query) {
            assert!(known.contains(&*name) || OF_PROMETHEUS.contains(&&*name), "{name} is in no registry: {query}");
        }
    }
}

#[test]
fn the_names_of_a_query_are_all_found() {
    let query = "max by (topic) (rate(a_total{kind=~\"x|y\"}[5m])) > 2 * 86400 unless on (job) b";
    assert_eq!(names(query), ["a_total", "b", "job", "kind", "topic"].map(str::to_owned).into());
}

#[test]
fn the_documentation_names_only_metrics_that_there_are() {
    let known: BTreeSet<&str> = all().map(|metric| metric.name).collect();
    let kinds = ["highwater_", "backup_", "restore_"];
    for page in PAGES {
        let code = page.split('`').skip(1).step_by(2);
        let named = code.map(|code| code.split(['{', ' ']).next().unwrap_or_default());
        for name in named.filter(|name| kinds.iter().any(|kind| name.starts_with(kind))) {
            let is_known = match name.strip_suffix("...") {
                Some(start) => known.iter().any(|name| name.starts_with(start)),
                None => known.contains(name),
            };
            assert!(is_known, "{name} is no metric");
        }
    }
}
