//! What the refreshes of one epoch keep for each other: registers in a hash of the store, whose order is the epoch.

use std::collections::BTreeMap;

use shared::ports::store::{Operation, Query, Register, Value};

use crate::{Context, MonitorError};

/// A hash of such registers, as it was read.
pub(crate) struct Kept {
    key: String,
    order: Vec<u64>,
    held: Vec<Register>,
}

impl Kept {
    /// Reads what is kept at `key` for the epoch that began at `since`.
    pub async fn read(context: &Context, key: String, since: i64) -> Result<Kept, MonitorError> {
        let answers = context.store.read(&[Query::Registers(key.clone())]).await?;
        let hashes = answers.into_iter().map(|answer| match answer {
            Value::Registers(registers) => registers,
            Value::Text(_) => vec![],
        });
        let held = hashes.flatten().collect();
        Ok(Kept { key, order: vec![u64::try_from(since).unwrap_or(0)], held })
    }

    /// What is kept for this epoch, by field; one that cannot be read is not kept.
    pub fn values<T>(&self, parse: impl Fn(&str) -> Option<T>) -> BTreeMap<String, T> {
        let of_this_epoch = self.held.iter().filter(|register| register.order == self.order);
        of_this_epoch.filter_map(|register| Some((register.field.clone(), parse(&register.value)?))).collect()
    }

    /// Keeps more, for the later refreshes of this epoch.
    pub async fn keep(
        &self,
        context: &Context,
        values: impl Iterator<Item = (String, String)>,
    ) -> Result<(), MonitorError> {
        let register =
            |(field, value)| Operation::Max { key: self.key.clone(), field, order: self.order.clone(), value };
        context.apply(&values.map(register).collect::<Vec<_>>()).await
    }
}
