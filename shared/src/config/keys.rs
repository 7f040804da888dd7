//! Which settings exist: read from the JSON schema, so that nothing is listed twice.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Settings;

/// Stands in a path for any name of a map: `backups.*.segment`.
pub(super) const ANY: &str = "*";

/// A setting that can be given.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its path; `ANY` stands for the name of an entry.
    pub path: Vec<String>,
    /// Its part of the JSON schema.
    pub schema: Value,
}

impl Key {
    /// The path with `name` for the entry's name.
    pub(super) fn path_of(&self, name: &str) -> Vec<String> {
        self.path.iter().map(|part| if part == ANY { name } else { part }.to_owned()).collect()
    }

    /// Whether its value must not be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.schema["writeOnly"] == Value::Bool(true)
    }
}

/// The JSON schema of the whole configuration, without references.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Settings>().to_value()
});

/// Every setting.
pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    collect(&SCHEMA, &mut Vec::new(), &mut keys);
    keys
});

/// The setting at a path, entries' names allowed.
pub(super) fn find(path: &[String]) -> Option<&'static Key> {
    KEYS.iter().find(|key| matches(key, path))
}

/// Whether a path names this setting, an entry's name standing for [`ANY`].
fn matches(key: &Key, path: &[String]) -> bool {
    key.path.len() == path.len() && key.path.iter().zip(path).all(|(part, given)| part == ANY || part == given)
}

fn collect(schema: &Value, path: &mut Vec<String>, keys: &mut Vec<Key>) {
    let node = Node::of(schema);
    if node.is_leaf {
        keys.push(Key { path: path.clone(), schema: node.schema.clone() });
    }
    for (name, part) in node.children() {
        path.push(name.to_owned());
        collect(part, path, keys);
        path.pop();
    }
}

/// A place in the schema.
pub(super) struct Node<'a> {
    schema: &'a Value,
    /// A value can be given here, rather than a table of settings.
    pub is_leaf: bool,
}

impl<'a> Node<'a> {
    /// Sees through `anyOf [X, null]`, as an optional section is described.
    pub(super) fn of(schema: &'a Value) -> Self {
        let variants = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
        let schema = variants.iter().find(|variant| variant["type"] != "null").unwrap_or(schema);
        let node = Node { schema, is_leaf: true };
        let scalar_map = node.entries().is_some_and(|entry| Node::of(entry).is_leaf);
        let also_text = schema["type"].as_array().is_some_and(|types| types.iter().any(|t| t == "string"));
        let table = schema["properties"].is_object() || (node.entries().is_some() && !scalar_map);
        Node { schema, is_leaf: !table || also_text }
    }

    /// The schema of a map's entries.
    fn entries(&self) -> Option<&'a Value> {
        self.schema.get("additionalProperties").filter(|entry| entry.is_object())
    }

    /// The parts by name; a map has one, of the name [`ANY`].
    fn children(&self) -> Vec<(&'a str, &'a Value)> {
        let properties = self.schema["properties"].as_object();
        let mut children: Vec<_> = properties.into_iter().flatten().map(|(name, part)| (name.as_str(), part)).collect();
        children.extend(self.entries().filter(|entry| !Node::of(entry).is_leaf).map(|entry| (ANY, entry)));
        children
    }

    /// The part of that name; `None` where there is none, or anything may stand.
    pub(super) fn child(&self, name: &str) -> Option<Node<'a>> {
        let part = self.schema["properties"].get(name).or_else(|| self.entries())?;
        Some(Node::of(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Vec<String> {
        KEYS.iter().map(|key| key.path.join(".")).collect()
    }

    #[test]
    fn the_settings_are_read_from_the_schema() {
        let paths = paths();
        for expected in [
            "kafka.bootstrap_servers",
            "storage.url",
            "redis.url",
            "backups.*.topics.include",
            "backups.*.segment.bytes_max",
            "locations.*.url",
            "metrics.interval_s",
            "listen.invoke",
        ] {
            assert!(paths.iter().any(|p| p == expected), "{expected} is not among {paths:#?}");
        }
    }

    #[test]
    fn every_setting_says_what_it_is() {
        let silent: Vec<_> = KEYS
            .iter()
            .filter(|key| key.schema["description"].as_str().is_none_or(str::is_empty))
            .map(|key| key.path.join("."))
            .collect();
        assert!(silent.is_empty(), "settings without a doc comment: {silent:?}");
    }
}
