//! Which topics a backup takes.

use std::{borrow::Cow, fmt, str::FromStr};

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::units::text_setting;
use crate::restore::DRILL_TOPICS;

/// What a compiled pattern may take at most, so that no pattern can exhaust the memory.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// The longest pattern: a topic's name has 249 characters, a list of them may be long.
const PATTERN_BYTES_MAX: usize = 16 << 10;
/// How deep a glob's braces may nest.
const BRACES_MAX: usize = 8;
const GLOB_SIGNS: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// A pattern for topic names: a plain text is a glob (`orders-*`), `/.../` a regular expression that must match the
/// whole name (`/pay(ment)?s/`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern {
    text: String,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Literal,
    Glob(GlobMatcher),
    Regex(Regex),
}

impl TopicPattern {
    /// Whether the pattern matches the whole of `topic`.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match &self.form {
            Form::Literal => self.text == topic,
            Form::Glob(glob) => glob.is_match(topic),
            Form::Regex(regex) => regex.is_match(topic),
        }
    }

    /// The name, of a pattern that is one topic's name.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.is_literal().then_some(self.text.as_str())
    }

    fn is_literal(&self) -> bool {
        matches!(self.form, Form::Literal)
    }
}

impl FromStr for TopicPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            let begin: String = text.chars().take(40).collect();
            return Err(format!(
                "{begin:?}... has {} bytes: a pattern has at most {PATTERN_BYTES_MAX}; write several",
                text.len()
            ));
        }
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let form = match inner {
            _ if text.is_empty() => {
                return Err(
                    "an empty pattern selects nothing: write a topic's name, a glob or a /regular expression/".into()
                );
            }
            Some(expression) => Form::Regex(regex(expression)?),
            None if text.contains(GLOB_SIGNS) => Form::Glob(glob(text)?),
            None if text.contains('/') => {
                return Err(format!(
                    "{text:?} is no pattern: a regular expression stands between two slashes, as in \"/pay(ment)?s/\""
                ));
            }
            None => Form::Literal,
        };
        Ok(TopicPattern { text: text.to_owned(), form })
    }
}

fn glob(text: &str) -> Result<GlobMatcher, String> {
    let depths = text.chars().scan(0_usize, |depth, sign| {
        *depth = if sign == '{' { *depth + 1 } else { depth.saturating_sub(usize::from(sign == '}')) };
        Some(*depth)
    });
    if depths.max().unwrap_or_default() > BRACES_MAX {
        return Err(format!("the braces of a glob nest at most {BRACES_MAX} deep; write a /regular expression/"));
    }
    let glob = GlobBuilder::new(text).build().map_err(|error| format!("{text:?} is no glob: {}", error.kind()))?;
    Ok(glob.compile_matcher())
}

fn regex(expression: &str) -> Result<Regex, String> {
    let compile = |text: &str| RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
    // By itself first, so that `a)|(b` cannot reach out of the group that anchors it.
    compile(expression)
        .and_then(|_| compile(&format!(r"\A(?:{expression})\z")))
        .map_err(|error| format!("/{expression}/ is no usable regular expression: {error}"))
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

text_setting!(TopicPattern, "orders-*");

/// Which topics: those that a pattern includes and none excludes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicSelection {
    /// Patterns of the topics to take: a plain text is a glob, `/.../` an anchored regular expression. Topics that begin
    /// with `__`, and Highwater's own, are taken by their literal name only.
    pub include: Vec<TopicPattern>,
    /// Patterns of the topics to leave out; they win over `include`.
    #[serde(default)]
    pub exclude: Vec<TopicPattern>,
}

impl TopicSelection {
    /// Whether no name can be selected, as far as that shows: each pattern of `include` is excluded as it stands, or names a
    /// topic that is.
    #[must_use]
    pub fn takes_nothing(&self) -> bool {
        let excluded = |pattern: &TopicPattern| {
            let name = pattern.literal();
            self.exclude.iter().any(|other| other == pattern || name.is_some_and(|name| other.matches(name)))
        };
        self.include.iter().all(excluded)
    }

    /// The topics that are asked for by their names.
    pub fn literal_names(&self) -> impl Iterator<Item = &str> {
        let names = self.include.iter().filter_map(TopicPattern::literal);
        names.filter(|name| !self.exclude.iter().any(|pattern| pattern.matches(name)))
    }

    /// Whether `topic` is selected. `own` are Highwater's own topics: a backup of them by a pattern would feed itself.
    #[must_use]
    pub fn selects(&self, topic: &str, own: &[&str]) -> bool {
        let by_name_only = topic.starts_with("__") || topic.starts_with(DRILL_TOPICS) || own.contains(&topic);
        let included = self.include.iter().any(|p| p.matches(topic) && (p.is_literal() || !by_name_only));
        included && !self.exclude.iter().any(|p| p.matches(topic))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: [&str; 2] = ["backbeat-metrics", "backbeat-replication"];

    fn selection(include: &[&str], exclude: &[&str]) -> TopicSelection {
        let parse = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        TopicSelection { include: parse(include), exclude: parse(exclude) }
    }

    #[test]
    fn the_topics_named_are_the_literal_ones_that_are_not_excluded() {
        let selection = selection(&["orders", "clicks-*", "/pay(ment)?s/", "views", "__offsets"], &["v*"]);
        assert_eq!(selection.literal_names().collect::<Vec<_>>(), ["orders", "__offsets"]);
    }

    #[test]
    fn a_plain_text_is_a_glob_over_the_whole_name() {
        let selection = selection(&["orders-*", "clicks", "eu.{a,b}.?"], &[]);
        for topic in ["orders-", "orders-eu.1", "clicks", "eu.a.1"] {
            assert!(selection.selects(topic, &OWN), "{topic}");
        }
        for topic in ["orders", "my-orders-1", "clicks2", "Clicks", "eu.c.1", "eu.a.12"] {
            assert!(!selection.selects(topic, &OWN), "{topic}");
        }
    }

    #[test]
    fn a_text_between_slashes_is_a_regular_expression_for_the_whole_name() {
        let selection = selection(&["/pay(ment)?s|refunds/"], &[]);
        for topic in ["pays", "payments", "refunds"] {
            assert!(selection.selects(topic, &OWN), "{topic}");
        }
        for topic in ["payments-eu", "my-pays", "refunds2", "xrefunds", "pays\n"] {
            assert!(!selection.selects(topic, &OWN), "{topic:?}");
        }
    }

    #[test]
    fn exclude_wins_even_over_a_literal_name() {
        let selection = selection(&["orders", "orders-*"], &["*-tmp", "orders"]);
        assert!(selection.selects("orders-eu", &OWN));
        assert!(!selection.selects("orders-tmp", &OWN));
        assert!(!selection.selects("orders", &OWN));
    }

    #[test]
    fn internal_topics_and_our_own_are_selected_by_their_literal_name_only() {
        let all = selection(&["*", "/.*/"], &[]);
        let named = selection(&["__consumer_offsets", "backbeat-metrics"], &[]);
        assert!(!all.selects("highwater-drill.main.1-0", &OWN), "scratch topics of drills");
        for topic in ["__consumer_offsets", "backbeat-metrics"] {
            assert!(!all.selects(topic, &OWN), "{topic}");
            assert!(named.selects(topic, &OWN), "{topic}");
        }
        assert!(all.selects("orders", &OWN));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_reason() {
        for text in ["", "[a-", "/(/", "/a)|(b/", "/pays", "pays/", r"/(a{1,1000}){1,1000}/"] {
            assert!(text.parse::<TopicPattern>().is_err(), "{text}");
        }
        let error = r"/((a{1,1000}){1,1000})/".parse::<TopicPattern>().unwrap_err();
        assert!(error.contains("size limit"), "{error}");
    }

    #[test]
    fn absurd_patterns_are_refused_at_once_and_what_is_taken_matches_at_once() {
        for text in [
            "a*".repeat(9_000),
            "{a,".repeat(5_000) + &"}".repeat(5_000),
            "{".repeat(9) + "a" + &"}".repeat(9),
            format!("/{}/", "(".repeat(8_000)),
            format!("/{}a{}/", "(".repeat(4_000), ")".repeat(4_000)),
            format!("/{}/", "(a{1,99}){1,99}".repeat(99)),
            "[".repeat(100),
        ] {
            assert!(text.parse::<TopicPattern>().is_err(), "{}", &text[..10]);
        }
        let name = "a".repeat(249);
        for text in [
            "a*".repeat(200),
            "*a".repeat(200),
            "/(a*)*(a*)*(a|a)*b/".to_owned(),
            "{a,b}".repeat(400),
            "[a-z]".repeat(400),
        ] {
            let pattern: TopicPattern = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            let _ = pattern.matches(&name);
        }
    }

    proptest! {
        #[test]
        fn a_topics_own_name_selects_it_and_nothing_else(topic in "[a-zA-Z0-9._-]{1,40}", other in "[a-zA-Z0-9._-]{1,40}") {
            let selection = selection(&[&topic], &[]);
            prop_assert!(selection.selects(&topic, &OWN));
            prop_assert_eq!(selection.selects(&other, &OWN), topic == other);
        }
    }
}
