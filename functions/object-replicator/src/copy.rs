//! Copying one object, whole or not at all.

use shared::ports::objects::{GetRange, Multipart, Object, ObjectsError, PutCondition};

use crate::{
    error::{CopyError, of_location, of_source},
    large,
    task::Copy,
};

/// How often a copy is tried that others make too.
const ATTEMPTS_MAX: u32 = 5;

/// What a copy came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    /// It was written.
    Written {
        /// How many bytes.
        bytes: u64,
    },
    /// It was there already.
    WasThere,
}

impl Copy<'_> {
    /// Copies an object that never changes: one that is there already must be as large.
    pub async fn immutable(&self) -> Result<Copied, CopyError> {
        if let Some(multipart) = self.large() {
            return match large::copy(self, multipart, &PutCondition::IfAbsent).await? {
                Some(bytes) => Ok(Copied::Written { bytes }),
                None => self.unless_there_whole().await,
            };
        }
        let object = self.read().await?;
        let size_bytes = object.size_bytes;
        match self.location.put(self.location_key, object.body, PutCondition::IfAbsent).await {
            Ok(_) => Ok(Copied::Written { bytes: size_bytes }),
            Err(ObjectsError::PreconditionFailed { .. }) => self.is_there(size_bytes).await,
            Err(error) => Err(of_location(error)),
        }
    }

    fn large(&self) -> Option<&dyn Multipart> {
        (self.size_bytes > large::WHOLE_BYTES_MAX).then(|| self.location.multipart()).flatten()
    }

    /// Copies the object unless it is at the location already. Where it is, its bytes are not read.
    pub async fn unless_there(&self) -> Result<Copied, CopyError> {
        match self.head().await? {
            Some(_) => self.unless_there_whole().await,
            None => self.immutable().await,
        }
    }

    /// That the location holds an object that is as large.
    async fn unless_there_whole(&self) -> Result<Copied, CopyError> {
        let there = self.head().await?;
        let there = there.ok_or_else(|| of_location(ObjectsError::Conflict { key: self.location_key.to_owned() }))?;
        let object = self.source.get(self.source_key, GetRange::Last(0)).await.map_err(of_source)?;
        let object = object.ok_or_else(|| CopyError::SourceGone(self.source_key.to_owned()))?;
        match there.size_bytes == object.size_bytes {
            true => Ok(Copied::WasThere),
            false => Err(CopyError::Differs(self.location_key.to_owned())),
        }
    }

    /// That the location holds an object of this size there.
    async fn is_there(&self, size_bytes: u64) -> Result<Copied, CopyError> {
        match self.head().await? {
            Some(there) if there.size_bytes == size_bytes => Ok(Copied::WasThere),
            Some(_) => Err(CopyError::Differs(self.location_key.to_owned())),
            None => Err(of_location(ObjectsError::Conflict { key: self.location_key.to_owned() })),
        }
    }

    /// Copies what the object is now. What the location holds is looked at **before** the object is read, and replaced only
    /// while it is still that: so what is written is at least as new as what it replaces.
    pub async fn mutable(&self) -> Result<Copied, CopyError> {
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            let there = self.head().await?;
            if let Some(multipart) = self.large() {
                let condition = there.map_or(PutCondition::IfAbsent, |there| PutCondition::IfMatch(there.etag));
                match large::copy(self, multipart, &condition).await? {
                    Some(bytes) => return Ok(Copied::Written { bytes }),
                    None => continue,
                }
            }
            let object = self.read().await?;
            if let Some(there) = &there
                && self.is_same(there, &object).await?
            {
                return Ok(Copied::WasThere);
            }
            let bytes = object.size_bytes;
            let condition = there.map_or(PutCondition::IfAbsent, |there| PutCondition::IfMatch(there.etag));
            match self.location.put(self.location_key, object.body, condition).await {
                Ok(_) => return Ok(Copied::Written { bytes }),
                Err(error @ (ObjectsError::PreconditionFailed { .. } | ObjectsError::Conflict { .. })) => {
                    last = Some(error);
                }
                Err(error) => return Err(of_location(error)),
            }
        }
        let busy = || ObjectsError::Conflict { key: self.location_key.to_owned() };
        Err(of_location(last.unwrap_or_else(busy)))
    }

    async fn is_same(&self, there: &Object, object: &Object) -> Result<bool, CopyError> {
        if there.size_bytes != object.size_bytes {
            return Ok(false);
        }
        if there.etag == object.etag {
            return Ok(true);
        }
        let whole = self.location.get(self.location_key, GetRange::Whole).await.map_err(of_location)?;
        Ok(whole.is_some_and(|whole| whole.body == object.body && whole.etag == there.etag))
    }

    async fn read(&self) -> Result<Object, CopyError> {
        let object = self.source.get(self.source_key, GetRange::Whole).await.map_err(of_source)?;
        object.ok_or_else(|| CopyError::SourceGone(self.source_key.to_owned()))
    }

    async fn head(&self) -> Result<Option<Object>, CopyError> {
        self.location.get(self.location_key, GetRange::Last(0)).await.map_err(of_location)
    }
}
