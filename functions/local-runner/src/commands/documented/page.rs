//! docs/json.md, as far as it can be checked: sections with tables of fields, and an example in each.

use std::collections::BTreeMap;

use serde_json::Value;

const PAGE: &str = include_str!("../../../../../docs/json.md");

/// What stands below a heading.
pub(super) struct Section {
    /// The heading: the commands that it is about, or the name of a part that several answers have.
    pub(super) names: Vec<String>,
    /// The types of the fields, by their paths: `topics[].records`. `*` stands for any name.
    fields: BTreeMap<String, String>,
    text: String,
}

/// The sections of the page.
pub(super) fn sections() -> Vec<Section> {
    PAGE.split("\n## ").skip(1).map(Section::of).collect()
}

impl Section {
    fn of(text: &str) -> Self {
        let heading = text.lines().next().unwrap_or_default();
        let names = quoted(heading);
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let field = |row: &str| {
            let cells: Vec<&str> = row.split(" | ").collect();
            (quoted(cells[0]).concat(), cells[1].to_owned())
        };
        let names = if names.is_empty() { vec![heading.to_owned()] } else { names };
        Section { names, fields: rows.map(field).collect(), text: text.to_owned() }
    }

    /// Whether it names this schema.
    pub(super) fn names_schema(&self, schema: &str) -> bool {
        quoted(&self.text).iter().any(|name| name == schema)
    }

    /// The answer that it shows.
    pub(super) fn example(&self) -> Option<Value> {
        let (_, block) = self.text.split_once("```json\n")?;
        serde_json::from_str(block.split_once("\n```")?.0).ok()
    }

    /// Its fields, and those of the parts that it names as `[totals](#totals)`.
    pub(super) fn fields(&self, sections: &[Section]) -> BTreeMap<String, String> {
        let mut all = self.fields.clone();
        for (path, kind) in &self.fields {
            let Some((_, link)) = kind.split_once("](#") else { continue };
            let name = link.split(')').next().unwrap_or_default().replace('-', " ");
            let part = sections.iter().find(|it| it.names == [name.as_str()]);
            let part = part.unwrap_or_else(|| panic!("docs/json.md has no section {name}, which {path} names"));
            let list = if kind.starts_with("list") { "[]" } else { "" };
            all.extend(part.fields(sections).into_iter().map(|(below, kind)| (format!("{path}{list}.{below}"), kind)));
        }
        all
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
