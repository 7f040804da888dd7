//! The fields of a message, read from its JSON without building a tree: hundreds of thousands come in a second.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{Malformed, NAME_BYTES_MAX};

/// The fields that mean something. Others are read over.
const FIELDS: [&str; 14] = [
    "attempt",
    "bucketName",
    "bytes",
    "extension",
    "objectKey",
    "operationId",
    "ops",
    "part",
    "queuedAt",
    "reason",
    "site",
    "timestamp",
    "type",
    "versionId",
];

/// A message's JSON.
pub(super) enum Parsed<'a> {
    Object(Fields<'a>),
    Null,
    Other,
}

/// Those of [`FIELDS`] that a message has. Of a field that comes twice the last one counts.
#[derive(Default)]
pub(super) struct Fields<'a>(Vec<(&'static str, Field<'a>)>);

enum Field<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(f64),
    Other,
}

impl<'a> Fields<'a> {
    /// A text; `null` is as if it were not there.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        match self.get(name) {
            None | Some(Field::Null) => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::WrongType(name)),
        }
    }

    /// A text that is not empty.
    pub(super) fn name(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        match self.text(name)? {
            Some(text) if text.len() > NAME_BYTES_MAX => Err(Malformed::OutOfRange(name)),
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, Malformed> {
        match self.get(name) {
            None | Some(Field::Null) => Ok(None),
            Some(Field::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(Malformed::WrongType(name)),
        }
    }

    fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.0.iter().find(|(held, _)| *held == name).map(|(_, field)| field)
    }

    fn set(&mut self, name: &'static str, field: Field<'a>) {
        match self.0.iter_mut().find(|(held, _)| *held == name) {
            Some((_, held)) => *held = field,
            None => self.0.push((name, field)),
        }
    }
}

impl<'de> Deserialize<'de> for Parsed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfMessage)
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfField)
    }
}

/// A text without copying it, unless something in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct OfMessage;

impl<'de> Visitor<'de> for OfMessage {
    type Value = Parsed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed<'de>, A::Error> {
        let mut fields = Fields(Vec::with_capacity(FIELDS.len()));
        while let Some(Text(name)) = map.next_key()? {
            match FIELDS.into_iter().find(|known| *known == name) {
                Some(known) => fields.set(known, map.next_value()?),
                // Looked at all the same: what is no valid JSON makes the message none.
                None => drop(map.next_value::<Field<'_>>()?),
            }
        }
        Ok(Parsed::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Parsed<'de>, A::Error> {
        read_over(seq).map(|()| Parsed::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Parsed<'de>, E> {
        Ok(Parsed::Other)
    }
}

struct OfField;

impl<'de> Visitor<'de> for OfField {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Field<'de>, A::Error> {
        read_over(seq).map(|()| Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<Text<'_>, Field<'_>>()?.is_some() {}
        Ok(Field::Other)
    }
}

fn read_over<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<Field<'_>>()?.is_some() {}
    Ok(())
}
