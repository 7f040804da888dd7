//! A JSON text as CEL's own values, so that every operator knows them. Texts without escapes are not copied.

use std::{borrow::Cow, collections::HashMap, fmt};

use cel::common::{
    types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
    value::Val,
};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

type Boxed<'r> = Box<dyn Val + 'r>;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum JsonError {
    TooMany,
    Syntax(String),
}

/// Reads a JSON text of at most `values_max` values. Numbers are int, uint where they are too large for it, else double.
pub(super) fn parse(bytes: &[u8], values_max: usize) -> Result<Boxed<'_>, JsonError> {
    let mut left = values_max;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { left: &mut left }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| if left == 0 { JsonError::TooMany } else { JsonError::Syntax(error.to_string()) })
}

/// Counts down what may still be read; at 0 one was too many.
struct Seed<'l> {
    left: &'l mut usize,
}

impl<'r> DeserializeSeed<'r> for Seed<'_> {
    type Value = Boxed<'r>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Boxed<'r>, D::Error> {
        *self.left = self.left.saturating_sub(1);
        if *self.left == 0 {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'r> Visitor<'r> for Seed<'_> {
    type Value = Boxed<'r>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelInt::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Boxed<'r>, E> {
        Ok(i64::try_from(value)
            .map_or_else(|_| Box::new(CelUInt::from(value)) as Boxed<'r>, |value| Box::new(CelInt::from(value))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_borrowed_str<E>(self, value: &'r str) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelString::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelString::from(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Boxed<'r>, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_seq<A: SeqAccess<'r>>(self, mut items: A) -> Result<Boxed<'r>, A::Error> {
        let mut list = vec![];
        while let Some(item) = items.next_element_seed(Seed { left: &mut *self.left })? {
            list.push(item);
        }
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'r>>(self, mut entries: A) -> Result<Boxed<'r>, A::Error> {
        let mut map = HashMap::new();
        while let Some(key) = entries.next_key_seed(Name)? {
            let value = entries.next_value_seed(Seed { left: &mut *self.left })?;
            map.insert(CelMapKey::String(CelString::from(key)), value);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}

/// A field's name.
struct Name;

impl<'r> DeserializeSeed<'r> for Name {
    type Value = Cow<'r, str>;

    fn deserialize<D: Deserializer<'r>>(self, deserializer: D) -> Result<Cow<'r, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'r> Visitor<'r> for Name {
    type Value = Cow<'r, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, value: &'r str) -> Result<Cow<'r, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'r, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}
