//! Settings from the environment: `HIGHWATER_<SECTION>_<KEY>`, and the names other tools use.
//!
//! A path becomes a variable by upper case and `_`: `metrics.interval_s` is `HIGHWATER_METRICS_INTERVAL_S`. An entry's
//! name likewise, with `_` for `-` and `.`: `backups.eu-west.segment.bytes_max` is
//! `HIGHWATER_BACKUPS_EU_WEST_SEGMENT_BYTES_MAX`. A name that the file does not have can be of one word only
//! (`HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE`), so that a misspelled setting never becomes a new entry.
//! A list is separated by commas, or written as in the file (`["a", "b"]`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    keys::{ANY, KEYS, Key},
    nearest::nearest,
    problem::Problem,
};

/// Every variable that begins with this is a setting.
pub const PREFIX: &str = "HIGHWATER_";
/// Where the file is: a path, an `s3://` URL, or its text.
pub const CONFIG_VARIABLE: &str = "HIGHWATER_CONFIG";

/// Variables that begin with this steer the project's own tests and are no settings.
const TESTS_PREFIX: &str = "HIGHWATER_TEST_";

/// Names that other tools use, weakest first: `HIGHWATER_*` wins over all of them.
pub const ALIASES: [(&str, &str); 5] = [
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka.bootstrap_servers"),
    ("STORAGE_URL", "storage.url"),
    ("S3_ENDPOINT_URL", "storage.endpoint_url"),
    ("REDIS_URL", "redis.url"),
    ("AWS_ENDPOINT_URL_LAMBDA", "lambda.endpoint_url"),
];

/// One setting as the environment gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub path: Vec<String>,
    pub value: Value,
    pub variable: String,
}

/// The settings in an environment, in the order they apply. `names` are the entries that the file has, by section.
pub(super) fn read(
    environment: &BTreeMap<String, String>,
    names: &BTreeMap<String, Vec<String>>,
) -> (Vec<Given>, Vec<Problem>) {
    let aliases = ALIASES.iter().filter_map(|(variable, path)| {
        let text = environment.get(*variable)?;
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        let value =
            super::keys::find(&path).map_or_else(|| Value::String(text.clone()), |key| parse(text, &key.schema));
        Some(Given { path, value, variable: (*variable).to_owned() })
    });
    let (mut given, mut problems) = (aliases.collect::<Vec<_>>(), Vec::new());
    for (variable, text) in environment.iter().filter(|(variable, _)| is_setting(variable)) {
        match resolve(variable, names) {
            Some((path, key)) => {
                given.push(Given { path, value: parse(text, &key.schema), variable: variable.clone() });
            }
            None => problems.push(unknown(variable, names)),
        }
    }
    (given, problems)
}

fn is_setting(variable: &str) -> bool {
    variable.starts_with(PREFIX) && !variable.starts_with(TESTS_PREFIX) && variable != CONFIG_VARIABLE
}

type Resolved = (Vec<String>, &'static Key);

fn resolve(variable: &str, names: &BTreeMap<String, Vec<String>>) -> Option<Resolved> {
    KEYS.iter().find_map(|key| {
        let name = entry_name(key, variable, names)?;
        Some((key.path_of(&name), key))
    })
}

/// The name of the entry that makes `key` to `variable`; empty where the key has none.
fn entry_name(key: &Key, variable: &str, names: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let Some((section, rest)) = around_name(key) else {
        return (variable_of(&key.path) == variable).then(String::new);
    };
    let word = variable.strip_prefix(&section)?.strip_suffix(&rest)?;
    let known = names.get(&key.path[0]).into_iter().flatten().find(|name| screaming(name) == word);
    let new = || (!word.is_empty() && !word.contains('_')).then(|| word.to_lowercase());
    known.cloned().or_else(new)
}

/// What stands before and after an entry's name in the variable of `key`.
fn around_name(key: &Key) -> Option<(String, String)> {
    let at = key.path.iter().position(|part| part == ANY)?;
    let after: String = key.path[at + 1..].iter().map(|part| format!("_{}", screaming(part))).collect();
    Some((format!("{}_", variable_of(&key.path[..at])), after))
}

/// The variable of a path.
#[must_use]
pub fn variable_of(path: &[String]) -> String {
    let parts: Vec<_> = path.iter().map(|part| screaming(part)).collect();
    format!("{PREFIX}{}", parts.join("_"))
}

fn screaming(part: &str) -> String {
    part.to_uppercase().replace(['-', '.'], "_")
}

fn unknown(variable: &str, names: &BTreeMap<String, Vec<String>>) -> Problem {
    let candidates = KEYS.iter().flat_map(|key| spellings(key, variable, names));
    let nearest = nearest(variable, candidates).unwrap_or_default();
    Problem::Unknown { setting: variable.to_owned(), nearest }
}

/// The variables of a key: one for each entry of the file, and one for the name that `variable` seems to have.
fn spellings(key: &Key, variable: &str, names: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let Some((section, _)) = around_name(key) else { return vec![variable_of(&key.path)] };
    let word = variable.split('_').nth(section.matches('_').count()).unwrap_or("NAME");
    let known = names.get(&key.path[0]).into_iter().flatten().map(String::as_str);
    known.chain([word]).map(|name| variable_of(&key.path_of(name))).collect()
}

/// A text as the setting's type has it; what does not fit stays text, for the setting itself to refuse.
fn parse(text: &str, schema: &Value) -> Value {
    let is = |name: &str| {
        schema["type"] == name || schema["type"].as_array().is_some_and(|types| types.iter().any(|t| t == name))
    };
    let read = match text {
        _ if is("string") => None,
        _ if is("array") && !text.trim_start().starts_with('[') => {
            Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
        }
        _ => toml::from_str::<BTreeMap<String, Value>>(&format!("v = {text}"))
            .ok()
            .and_then(|mut table| table.remove("v")),
    };
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_one(variable: &str, text: &str, names: &[&str]) -> Result<Given, Problem> {
        let names = [("backups", names), ("locations", names)]
            .map(|(section, n)| (section.to_owned(), n.iter().map(ToString::to_string).collect()));
        let (mut given, mut problems) = read(&[(variable.to_owned(), text.to_owned())].into(), &names.into());
        given.pop().ok_or_else(|| problems.pop().unwrap())
    }

    #[test]
    fn a_variable_names_a_setting_by_its_path() {
        let given = read_one("HIGHWATER_METRICS_INTERVAL_S", "60", &[]).unwrap();
        assert_eq!((given.path.join("."), given.value), ("metrics.interval_s".into(), json!(60)));
        let given = read_one("HIGHWATER_BACKUPS_MAIN_SEGMENT_BYTES_MAX", "1MiB", &[]).unwrap();
        assert_eq!((given.path.join("."), given.value), ("backups.main.segment.bytes_max".into(), json!("1MiB")));
    }

    #[test]
    fn an_entry_of_the_file_keeps_its_spelling() {
        let given = read_one("HIGHWATER_LOCATIONS_US_EAST_1_URL", "s3://b", &["us-east-1"]).unwrap();
        assert_eq!(given.path, ["locations", "us-east-1", "url"]);
        let given = read_one("HIGHWATER_LOCATIONS_AWS_S3_URL", "s3://b", &["aws_S3"]).unwrap();
        assert_eq!(given.path, ["locations", "aws_S3", "url"]);
    }

    #[test]
    fn a_misspelled_setting_never_becomes_a_new_entry() {
        let problem = read_one("HIGHWATER_LOCATIONS_PARIS_ENDPONT_URL", "http://x", &["paris"]).unwrap_err();
        let expected = Problem::Unknown {
            setting: "HIGHWATER_LOCATIONS_PARIS_ENDPONT_URL".into(),
            nearest: "HIGHWATER_LOCATIONS_PARIS_ENDPOINT_URL".into(),
        };
        assert_eq!(problem, expected);
    }

    #[test]
    fn a_list_is_separated_by_commas_or_written_as_in_the_file() {
        let variable = "HIGHWATER_BACKUPS_MAIN_TOPICS_INCLUDE";
        assert_eq!(read_one(variable, "orders, pay-*", &[]).unwrap().value, json!(["orders", "pay-*"]));
        assert_eq!(read_one(variable, r#"["/a{1,2}/"]"#, &[]).unwrap().value, json!(["/a{1,2}/"]));
    }

    #[test]
    fn our_own_name_wins_over_an_alias() {
        let environment = [("REDIS_URL", "redis://a"), ("HIGHWATER_REDIS_URL", "redis://b")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let (given, _) = read(&environment.into(), &BTreeMap::new());
        let order: Vec<_> = given.iter().map(|g| g.variable.as_str()).collect();
        assert_eq!(order, ["REDIS_URL", "HIGHWATER_REDIS_URL"]);
    }
}
