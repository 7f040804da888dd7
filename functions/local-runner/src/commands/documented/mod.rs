//! docs/json.md names every field that `--json` prints, with its type, and no other; its examples are what is printed.

mod page;
mod samples;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use shared::adapters::memory::clock::ManualClock;

use self::page::Section;
use super::{groups, segments, topics, verify};
use crate::{
    cli::every_command,
    test_backup::{NOW, TestBackup},
};

/// These host functions, or print what a shell reads: they answer nothing.
const WITHOUT_JSON: [&str; 3] = ["highwater dev", "highwater serve", "highwater completions"];
/// Its answer is that of the function.
const INVOKE: &str = "highwater invoke";
/// Its answer is a JSON schema.
const CONFIG_SCHEMA: &str = "highwater config schema";

fn section<'a>(sections: &'a [Section], name: &str) -> &'a Section {
    let found = sections.iter().find(|section| section.names.iter().any(|it| it == name));
    found.unwrap_or_else(|| panic!("docs/json.md has no section `{name}`"))
}

/// The fields of an answer with their values, by their paths as the page writes them.
fn fields<'a>(value: &'a Value, path: &str, kinds: &BTreeMap<String, String>, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields_of) => {
            let is_map = kinds.get(path).is_some_and(|kind| kind.starts_with("map"));
            for (name, value) in fields_of {
                let name = if is_map { "*" } else { name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                found.push((path.clone(), value));
                fields(value, &path, kinds, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, &format!("{path}[]"), kinds, found)),
        _ => {}
    }
}

/// Whether a value is of the type that the page says.
fn fits(kind: &str, value: &Value) -> bool {
    let begins = |word: &str| kind.starts_with(word);
    match value {
        _ if begins("any") => true,
        Value::Null => kind.ends_with("or null"),
        Value::Bool(_) => begins("true or false"),
        Value::String(_) => begins("text"),
        Value::Number(number) => begins(if number.is_f64() { "number" } else { "integer" }),
        Value::Array(items) => begins("list") && items.iter().all(|item| item.is_string() == begins("list of text")),
        Value::Object(_) => begins("object") || begins("map"),
    }
}

/// The fields of an answer. Each must be in the page, with the type that it has.
fn checked(name: &str, answer: &Value, sections: &[Section]) -> BTreeSet<String> {
    let documented = section(sections, name).fields(sections);
    let mut printed = vec![];
    fields(answer, "", &documented, &mut printed);
    printed.retain(|(path, _)| path != "schema");
    for (path, value) in &printed {
        let kind = documented.get(path);
        let kind = kind.unwrap_or_else(|| panic!("docs/json.md does not name {path}, which `{name}` prints"));
        assert!(fits(kind, value), "docs/json.md says that {path} of `{name}` is {kind:?}, and it is {value}");
    }
    printed.into_iter().map(|(path, _)| path).collect()
}

#[test]
fn every_field_that_is_printed_is_in_the_page_with_its_type_and_no_other() {
    let sections = page::sections();
    for (name, answer) in samples::all() {
        let printed = checked(name, &answer, &sections);
        let documented = section(&sections, name).fields(&sections);
        let surplus: Vec<_> = documented.keys().filter(|path| !printed.contains(*path)).collect();
        assert!(surplus.is_empty(), "docs/json.md names what `{name}` does not print: {surplus:?}");
    }
}

#[tokio::test]
async fn what_a_small_backup_really_answers_is_as_the_page_says() {
    let (test, sections) = (TestBackup::make().await, page::sections());
    let clock = Arc::new(ManualClock::at(NOW));
    let context = backup_verifier::Context::new(None, test.objects.clone(), None, None, clock, "test");
    let verified = backup_verifier::handle(backup_verifier::Verify::default(), &context).await.unwrap();
    let topics = topics::held(&*test.objects, None).await.unwrap();
    let segments = segments::held(&*test.objects, None, |_| true).await.unwrap();
    let groups = groups::held(&*test.objects, None).await.unwrap();
    let answers = [
        ("highwater verify", samples::printed(&verify::Told { verified: &verified, location: None })),
        ("highwater topics", samples::printed(&topics)),
        ("highwater segments", samples::printed(&segments)),
        ("highwater groups", samples::printed(&groups)),
    ];
    for (name, answer) in answers {
        assert!(!checked(name, &answer, &sections).is_empty(), "{answer}");
    }
}

#[test]
fn every_example_of_the_page_is_what_is_printed_under_the_schema_that_the_page_names() {
    let sections = page::sections();
    for (name, answer) in samples::all() {
        let section = section(&sections, name);
        if let Some(schema) = answer["schema"].as_str() {
            assert!(section.names_schema(schema), "the section `{name}` of docs/json.md does not name {schema}");
        }
        let wanted = format!("the example of `{name}` in docs/json.md must be:\n{answer}");
        assert_eq!(section.example().as_ref(), Some(&answer), "{wanted}");
    }
}

#[test]
fn whoever_adds_a_field_to_an_answer_must_document_it() {
    let kinds = BTreeMap::from([("names".to_owned(), "map".to_owned())]);
    let answer = serde_json::json!({ "new": [{ "field": 1 }], "names": { "orders": { "since": null } } });
    let mut found = vec![];
    fields(&answer, "", &kinds, &mut found);
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["names", "names.*", "names.*.since", "new", "new[].field"]);
    assert!(!fits("text", &answer["new"][0]["field"]) && fits("integer, bytes", &answer["new"][0]["field"]));
    assert!(!fits("text", &Value::Null) && fits("text or null", &Value::Null));
}

#[test]
fn every_command_that_answers_takes_json_and_has_a_section() {
    let sections = page::sections();
    for (name, command) in every_command() {
        let takes_json = command.get_arguments().any(|argument| argument.get_id() == "json");
        assert_eq!(takes_json, !WITHOUT_JSON.contains(&name.as_str()), "{name}");
        if takes_json {
            let names = &section(&sections, &name).names;
            let is_checked = samples::all().iter().any(|(sample, _)| names.iter().any(|it| it == sample));
            assert!(
                is_checked || [INVOKE, CONFIG_SCHEMA].contains(&name.as_str()),
                "nothing checks the section `{name}`"
            );
        }
    }
}
