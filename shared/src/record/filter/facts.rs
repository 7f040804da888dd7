//! One record as an expression sees it: read only as far as it is asked about.

use std::{collections::BTreeSet, sync::OnceLock};

use cel::{
    ExecutionError,
    common::{
        traits::{Container, Indexer, Iterable, Iterator as CelIterator, Sizer},
        types::{CelInt, CelList, CelNull, CelString, MAP_TYPE, Type},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};

use super::{
    Undecided,
    json::{self, JsonError},
};
use crate::record::{Header, Record, TopicPartition};

/// How many JSON values of a record are looked into at most: some 30 MB in memory.
const VALUES_MAX: usize = 250_000;
/// What comprehensions may cost for one record: about half a second at the very worst.
const WORK_MAX: u64 = 100_000_000;

/// How many JSON values a record of this size may hold for an expression with comprehensions so deep in each other: each
/// level goes over all values again, and a step may look at all bytes.
pub(super) fn values_max(comprehensions: u32, size_bytes: u64) -> usize {
    let steps = WORK_MAX / (64 + size_bytes / 64);
    let values = match comprehensions {
        0 => return VALUES_MAX,
        1 => steps,
        _ => steps.isqrt(),
    };
    usize::try_from(values).unwrap_or(VALUES_MAX).clamp(16, VALUES_MAX)
}

type Json<'r> = OnceLock<Option<Box<dyn Val + 'r>>>;

/// The variables of one record.
pub(super) struct Facts<'r> {
    at: &'r TopicPartition,
    record: &'r Record,
    values_max: usize,
    key_json: Json<'r>,
    value_json: Json<'r>,
    trouble: OnceLock<Undecided>,
}

impl<'r> Facts<'r> {
    pub fn new(at: &'r TopicPartition, record: &'r Record, values_max: usize) -> Self {
        let (key_json, value_json, trouble) = Default::default();
        Facts { at, record, values_max, key_json, value_json, trouble }
    }

    /// Why a variable could not be read: the library only knows that it could not.
    pub fn trouble(&self) -> Option<Undecided> {
        self.trouble.get().cloned()
    }

    fn text<'b>(&'b self, part: &'static str, bytes: Option<&'r bytes::Bytes>) -> Option<CowVal<'b, 'b>> {
        let Some(bytes) = bytes else { return Some(CowVal::owned(CelNull)) };
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(CowVal::owned(CelString::from(text))),
            Err(_) => self.cannot(Undecided::NotText(part)),
        }
    }

    fn json<'b>(
        &'b self,
        part: &'static str,
        bytes: Option<&'r bytes::Bytes>,
        read: &'b Json<'r>,
    ) -> Option<CowVal<'b, 'b>> {
        let Some(bytes) = bytes else { return Some(CowVal::owned(CelNull)) };
        let value = read.get_or_init(|| {
            json::parse(bytes, self.values_max)
                .inspect_err(|error| {
                    let _ = self.trouble.set(match error {
                        JsonError::TooMany => Undecided::TooLarge { part, values_max: self.values_max },
                        JsonError::Syntax(reason) => Undecided::NotJson { part, reason: reason.clone() },
                    });
                })
                .ok()
        });
        let value: &'b (dyn Val + 'r) = value.as_deref()?;
        Some(CowVal::Borrowed(value))
    }

    fn cannot<T>(&self, why: Undecided) -> Option<T> {
        let _ = self.trouble.set(why);
        None
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let (record, at) = (self.record, self.at);
        match variable {
            "key" => self.text("key", record.key.as_ref()),
            "value" => self.text("value", record.value.as_ref()),
            "key.json" => self.json("key", record.key.as_ref(), &self.key_json),
            "value.json" => self.json("value", record.value.as_ref(), &self.value_json),
            "headers" => Some(CowVal::owned(Headers::new(&record.headers, false))),
            "header_values" => Some(CowVal::owned(Headers::new(&record.headers, true))),
            "timestamp" => Some(CowVal::owned(CelInt::from(record.timestamp.0))),
            "size" => Some(CowVal::owned(CelInt::from(i64::try_from(record.size_bytes()).unwrap_or(i64::MAX)))),
            "topic" => Some(CowVal::owned(CelString::from(&*at.topic))),
            "partition" => Some(CowVal::owned(CelInt::from(i64::from(at.partition.0)))),
            "offset" => Some(CowVal::owned(CelInt::from(record.offset.0))),
            _ => None,
        }
    }
}

static HEADERS: Type = MAP_TYPE;

/// A record's headers by name. A name that is not UTF-8 cannot be asked for; a value that is not UTF-8 fails when it is.
#[derive(Debug)]
struct Headers<'r> {
    headers: &'r [Header],
    /// All values of a name, not the last one.
    every: bool,
    names: OnceLock<Vec<CelString<'r>>>,
}

impl<'r> Headers<'r> {
    fn new(headers: &'r [Header], every: bool) -> Self {
        Headers { headers, every, names: OnceLock::new() }
    }

    fn of<'n>(&self, name: &'n str) -> impl DoubleEndedIterator<Item = &'r Header> + use<'r, 'n> {
        self.headers.iter().filter(move |header| header.name == name.as_bytes())
    }

    fn value(&self, name: &str) -> Result<Box<dyn Val + 'r>, ExecutionError> {
        let last = self.of(name).next_back().ok_or_else(|| ExecutionError::no_such_key(name))?;
        if !self.every {
            return text_of(last);
        }
        let values: Result<Vec<_>, _> = self.of(name).map(text_of).collect();
        Ok(Box::new(CelList::from(values?)))
    }

    fn names(&self) -> &[CelString<'r>] {
        self.names.get_or_init(|| {
            let names: BTreeSet<&str> =
                self.headers.iter().filter_map(|header| std::str::from_utf8(&header.name).ok()).collect();
            names.into_iter().map(CelString::from).collect()
        })
    }
}

fn text_of<'r>(header: &'r Header) -> Result<Box<dyn Val + 'r>, ExecutionError> {
    let Some(value) = &header.value else { return Ok(Box::new(CelNull)) };
    let text = std::str::from_utf8(value);
    let text = text.map_err(|_| ExecutionError::function_error("headers: reading a value as UTF-8", "not UTF-8"))?;
    Ok(Box::new(CelString::from(text)))
}

fn name_of(name: &dyn Val) -> Result<&str, ExecutionError> {
    name.downcast_ref::<CelString<'_>>().map(CelString::inner).ok_or_else(|| ExecutionError::UnexpectedType {
        got: name.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}

impl Val for Headers<'_> {
    fn get_type(&self) -> &Type {
        &HEADERS
    }

    fn cel_type() -> &'static Type {
        &HEADERS
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Headers::new(self.headers, self.every))
    }
}

impl Container for Headers<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.of(name_of(name)?).next().is_some())
    }
}

impl Sizer for Headers<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.names().len()).unwrap_or(i64::MAX))
    }
}

impl Indexer for Headers<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.value(name_of(name)?).map(CowVal::Owned)
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.value(name_of(name)?)
    }
}

impl Iterable for Headers<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Names(self.names().iter()))
    }
}

struct Names<'b, 'r>(std::slice::Iter<'b, CelString<'r>>);

impl<'b, 'v, 'r: 'v> CelIterator<'b, 'v> for Names<'b, 'r> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|name| name as &'b (dyn Val + 'v))
    }
}
