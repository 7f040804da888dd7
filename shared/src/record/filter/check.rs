//! What an expression must be like: known names, and limits that keep its evaluation short.

use std::collections::HashMap;

use cel::{
    ParseErrors, Program,
    common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators},
};
use regex::{Regex, RegexBuilder};

use super::{BYTES_MAX, NotAFilter};

/// The regular expressions of an expression, by their text.
pub(super) type Regexes = HashMap<String, Regex>;

/// How deep brackets may nest, before anything is parsed.
const BRACKETS_MAX: usize = 32;
/// How deep expressions may nest: the evaluation is recursive.
const DEPTH_MAX: usize = 100;
/// How deep `all`, `exists`, `map`, `filter` may nest: each multiplies the work.
const COMPREHENSIONS_MAX: u32 = 2;
/// What a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

const VARIABLES: [&str; 9] =
    ["key", "value", "headers", "header_values", "timestamp", "size", "topic", "partition", "offset"];
const TYPES: [&str; 10] = ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];
const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// What the evaluation must know of an expression.
#[derive(Default)]
pub(super) struct Checked {
    pub regexes: Regexes,
    /// How deep comprehensions nest.
    pub comprehensions: u32,
}

/// Refuses a text that is not worth parsing.
pub(super) fn text(text: &str) -> Result<(), NotAFilter> {
    if text.len() > BYTES_MAX {
        let message = format!("the expression has {} bytes, more than {BYTES_MAX}", text.len());
        return Err(NotAFilter::at(text, 0, message));
    }
    let mut open = 0_usize;
    for (at, sign) in text.chars().enumerate() {
        match sign {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > BRACKETS_MAX {
            return Err(NotAFilter::at(text, at, format!("brackets nest deeper than {BRACKETS_MAX}")));
        }
    }
    Ok(())
}

/// Refuses what could not be evaluated for any record, or for too long.
pub(super) fn program(program: &Program) -> Result<Checked, NotAFilter> {
    let mut checker = Checker {
        source: program.source_info(),
        locals: vec![],
        depth: 0,
        comprehensions: 0,
        checked: Checked::default(),
    };
    checker.visit(program.expression())?;
    Ok(checker.checked)
}

struct Checker<'e> {
    source: &'e SourceInfo,
    locals: Vec<&'e str>,
    depth: usize,
    comprehensions: u32,
    checked: Checked,
}

type Result<T, E = NotAFilter> = std::result::Result<T, E>;

impl<'e> Checker<'e> {
    fn visit(&mut self, expression: &'e IdedExpr) -> Result<()> {
        if self.depth >= DEPTH_MAX {
            return Err(self.wrong(expression, format!("it nests deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let result = self.look_at(expression);
        self.depth -= 1;
        result
    }

    fn look_at(&mut self, expression: &'e IdedExpr) -> Result<()> {
        match &expression.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(expression, name),
            Expr::Select(select) => {
                if let Some(part @ ("key" | "value")) = self.variable(&select.operand)
                    && select.field != "json"
                {
                    let field = &select.field;
                    return Err(self.wrong(expression, format!("{part} is a text: did you mean {part}.json.{field}?")));
                }
                self.container(&select.operand)
            }
            Expr::Call(call) => self.call(expression, call),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => self.visit(&entry.key).and_then(|()| self.visit(&entry.value)),
                EntryExpr::StructField(_) => Err(self.wrong(expression, "a map has no fields".to_owned())),
            }),
            Expr::Comprehension(comprehension) => {
                self.container(&comprehension.iter_range)?;
                self.comprehensions += 1;
                if self.comprehensions > COMPREHENSIONS_MAX {
                    let message = format!("all, exists, map and filter nest deeper than {COMPREHENSIONS_MAX}");
                    return Err(self.wrong(expression, message));
                }
                self.checked.comprehensions = self.checked.comprehensions.max(self.comprehensions);
                let before = self.locals.len();
                self.locals.extend([&*comprehension.iter_var, &*comprehension.accu_var]);
                self.locals.extend(comprehension.iter_var2.as_deref());
                let parts = [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ];
                parts.into_iter().try_for_each(|part| self.visit(part))?;
                self.locals.truncate(before);
                self.comprehensions -= 1;
                Ok(())
            }
            Expr::Struct(it) => Err(self.wrong(expression, format!("there is no type {}", it.type_name))),
            Expr::Unspecified => Err(self.wrong(expression, "nothing is said here".to_owned())),
        }
    }

    fn name(&self, expression: &IdedExpr, name: &str) -> Result<()> {
        if self.locals.contains(&name) || TYPES.contains(&name) {
            return Ok(());
        }
        if matches!(name, "headers" | "header_values") {
            let how = format!("write {name}['name'], 'name' in {name}, has({name}.name) or size({name})");
            return Err(self.wrong(expression, format!("{name} has no value of its own: {how}")));
        }
        if VARIABLES.contains(&name) {
            return Ok(());
        }
        Err(self.wrong(expression, format!("{name} is not known; known are {}", VARIABLES.join(", "))))
    }

    fn call(&mut self, expression: &'e IdedExpr, call: &'e CallExpr) -> Result<()> {
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !is_operator && !FUNCTIONS.contains(&name) {
            let message = format!("there is no function {name}; there are {}", FUNCTIONS.join(", "));
            return Err(self.wrong(expression, message));
        }
        if name == "matches" {
            self.regex(expression, call.args.last())?;
        }
        if let Some(target) = &call.target {
            self.container_of(name, target)?;
        }
        for (index, argument) in call.args.iter().enumerate() {
            match (name, index) {
                (operators::INDEX, 0) | (operators::IN, 1) | ("size", 0) => self.container(argument)?,
                _ => self.visit(argument)?,
            }
        }
        Ok(())
    }

    fn container_of(&mut self, function: &str, target: &'e IdedExpr) -> Result<()> {
        if function == "size" { self.container(target) } else { self.visit(target) }
    }

    /// Where headers may stand: what is asked of them here, they answer.
    fn container(&mut self, expression: &'e IdedExpr) -> Result<()> {
        match self.variable(expression) {
            Some("headers" | "header_values") => Ok(()),
            _ => self.visit(expression),
        }
    }

    /// The name of one of our variables, if the expression is one.
    fn variable(&self, expression: &'e IdedExpr) -> Option<&'e str> {
        match &expression.expr {
            Expr::Ident(name) if !self.locals.contains(&name.as_str()) => Some(name),
            _ => None,
        }
    }

    fn regex(&mut self, expression: &IdedExpr, argument: Option<&IdedExpr>) -> Result<()> {
        let Some(Expr::Literal(LiteralValue::String(text))) = argument.map(|argument| &argument.expr) else {
            return Err(self.wrong(expression, "matches takes a regular expression that is written out".to_owned()));
        };
        let text = text.inner();
        let regex = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        let regex = regex.map_err(|error| self.wrong(expression, format!("no usable regular expression: {error}")))?;
        self.checked.regexes.insert(text.to_owned(), regex);
        Ok(())
    }

    fn wrong(&self, expression: &IdedExpr, message: String) -> NotAFilter {
        let start = self.source.offset_for(expression.id).map_or(0, |(start, _)| start);
        NotAFilter::at(&self.source.source, start as usize, message)
    }
}

impl NotAFilter {
    /// `offset` counts characters.
    pub(super) fn at(text: &str, offset: usize, message: String) -> Self {
        let before: String = text.chars().take(offset).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|sign| *sign != '\n').count() + 1;
        NotAFilter { line, column, message }
    }

    /// The first thing that the parser found.
    pub(super) fn of(errors: &ParseErrors) -> Self {
        let Some(first) = errors.errors.first() else {
            return NotAFilter { line: 1, column: 1, message: "not an expression".to_owned() };
        };
        let from_one = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        NotAFilter { line: from_one(first.pos.0), column: from_one(first.pos.1), message: first.msg.clone() }
    }
}
