//! From a text and an environment to settings.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Settings, StorageSettings, environment,
    keys::{ANY, KEYS, Node, SCHEMA, find},
    nearest::nearest,
    problem::{Problem, Problems},
};

/// A configuration that was read but not yet understood: the file's tables with the environment laid over them.
#[derive(Clone)]
pub struct Draft {
    tree: Map<String, Value>,
    /// Which variable a setting came from, by its path.
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Draft {
    /// Reads a file's text (empty: no file) and lays the environment over it.
    pub fn new(text: &str, variables: &BTreeMap<String, String>) -> Result<Self, Problems> {
        let tree: Map<String, Value> = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        let mut problems = unknown_settings(&tree);
        let names = tree
            .iter()
            .filter_map(|(section, table)| Some((section.clone(), table.as_object()?.keys().cloned().collect())));
        let (given, more) = environment::read(variables, &names.collect());
        problems.extend(more);
        let mut draft = Draft { tree, variables: BTreeMap::new(), problems };
        for setting in given {
            draft.variables.insert(setting.path.join("."), setting.variable);
            draft.set(&setting.path, setting.value);
        }
        Ok(draft)
    }

    /// The secrets that are in files: path of the setting, and of the file.
    #[must_use]
    pub fn secret_files(&self) -> Vec<(Vec<String>, String)> {
        let secrets = KEYS.iter().filter(|key| key.is_secret());
        let paths = secrets.flat_map(|key| self.instances(&key.path));
        paths.filter_map(|path| Some((path.clone(), self.at(&path)?.get("file")?.as_str()?.to_owned()))).collect()
    }

    /// Puts the content of a file in the place of its name.
    pub fn set_secret(&mut self, path: &[String], text: &str) {
        self.set(path, Value::String(text.trim_end_matches(['\r', '\n']).to_owned()));
    }

    /// The settings, or everything that is wrong with them.
    pub fn settings(self) -> Result<Settings, Problems> {
        let mut problems = self.problems.clone();
        let mut settings = Settings::default();
        let mut read = |result: Result<(), Problem>| problems.extend(result.err());
        read(self.section("kafka", &mut settings.kafka));
        read(self.section("target", &mut settings.target));
        read(self.section("storage", &mut settings.storage));
        read(self.section("redis", &mut settings.redis));
        read(self.section("schema_registry", &mut settings.schema_registry));
        read(self.section("target_schema_registry", &mut settings.target_schema_registry));
        read(self.section("backups", &mut settings.backups));
        read(self.section("locations", &mut settings.locations));
        read(self.section("replication", &mut settings.replication));
        read(self.section("metrics", &mut settings.metrics));
        read(self.section("writer", &mut settings.writer));
        read(self.section("event_gateway", &mut settings.event_gateway));
        read(self.section("otlp", &mut settings.otlp));
        read(self.section("lambda", &mut settings.lambda));
        read(self.section("listen", &mut settings.listen));
        if problems.is_empty() {
            problems.extend(settings.contradictions());
        }
        if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
    }

    /// The object store at `url`, with what the environment says beside it: the configuration itself may be there.
    pub fn storage_at(mut self, url: &str) -> Result<StorageSettings, Problems> {
        self.set(&["storage".to_owned(), "url".to_owned()], Value::String(url.to_owned()));
        let mut storage = None;
        self.section("storage", &mut storage)?;
        Ok(storage.expect("a section that has a url is there"))
    }

    fn section<T: DeserializeOwned>(&self, name: &str, into: &mut T) -> Result<(), Problem> {
        let Some(value) = self.tree.get(name) else { return Ok(()) };
        *into = serde_path_to_error::deserialize(value).map_err(|error| self.bad_value(name, &error))?;
        Ok(())
    }

    fn bad_value(&self, section: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
        let inner = error.path().iter().map(ToString::to_string);
        let path: Vec<_> = std::iter::once(section.to_owned()).chain(inner).collect();
        // A list's item is shown, and described as its list.
        let key = (1..=path.len()).rev().find_map(|length| find(&path[..length]));
        let dotted = path.join(".").replace(".[", "[");
        let setting = match self.variables.get(&dotted) {
            Some(variable) => format!("{dotted} ({variable})"),
            None => dotted,
        };
        let hint = key.and_then(|k| k.schema["description"].as_str()).map(|text| text.replace('\n', " "));
        if key.is_some_and(super::keys::Key::is_secret) {
            return Problem::bad_value(setting, None, "not a text", hint);
        }
        let value = self.at(&path).filter(|value| !value.is_object());
        Problem::bad_value(setting, value, &error.inner().to_string(), hint)
    }

    fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.tree.get(first)?, |value, part| match value {
            Value::Array(items) => items.get(part.trim_matches(['[', ']']).parse::<usize>().ok()?),
            _ => value.get(part),
        })
    }

    fn set(&mut self, path: &[String], value: Value) {
        let Some((last, tables)) = path.split_last() else { return };
        let mut table = &mut self.tree;
        for part in tables {
            let next = table.entry(part).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            table = next.as_object_mut().expect("made an object above");
        }
        table.insert(last.clone(), value);
    }

    /// The paths that a key has here, one for each entry.
    fn instances(&self, path: &[String]) -> Vec<Vec<String>> {
        let Some(at) = path.iter().position(|part| part == ANY) else { return vec![path.to_vec()] };
        let entries = self.at(&path[..at]).and_then(Value::as_object).into_iter().flatten();
        entries.map(|(name, _)| [&path[..at], std::slice::from_ref(name), &path[at + 1..]].concat()).collect()
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> Problems {
    // The parser's own display quotes the line, which may hold a secret.
    let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Problem::Syntax { line, column, message: error.message().to_owned() }.into()
}

fn unknown_settings(tree: &Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    visit(tree, &Node::of(&SCHEMA), &mut Vec::new(), &mut problems);
    problems
}

fn visit(table: &Map<String, Value>, node: &Node<'_>, path: &mut Vec<String>, problems: &mut Vec<Problem>) {
    for (name, value) in table {
        path.push(name.clone());
        match (node.child(name), value) {
            (Some(child), Value::Object(inner)) => visit(inner, &child, path, problems),
            (Some(_), _) => {}
            (None, _) => problems.push(unknown(path)),
        }
        path.pop();
    }
}

fn unknown(path: &[String]) -> Problem {
    let setting = path.join(".");
    let entry = path.get(1).map_or("NAME", String::as_str);
    // A section or table may be misspelled as well as a setting: every beginning of a path is a candidate.
    let candidates = KEYS.iter().flat_map(|key| {
        let full = key.path_of(entry);
        (1..=full.len()).map(move |length| full[..length].join("."))
    });
    // What has the right name stands in the wrong place.
    let name = path.last().map_or("", String::as_str);
    let moved: Vec<String> = KEYS
        .iter()
        .flat_map(|key| {
            let ends = (1..=key.path.len()).filter(|length| key.path[length - 1] == name && name != ANY);
            ends.map(|length| key.path_of(entry)[..length].join(".")).collect::<Vec<_>>()
        })
        .collect();
    let nearest = match moved.is_empty() {
        true => nearest(&setting, candidates),
        false => nearest(&setting, moved.into_iter()),
    };
    let nearest = nearest.unwrap_or_default();
    Problem::Unknown { setting, nearest }
}
