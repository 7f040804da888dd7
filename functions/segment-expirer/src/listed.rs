//! A segment as a listing has it.

use shared::{archive::SegmentEntry, ports::objects::ObjectEntry, record::Millis};

/// A segment as the listing has it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub entry: SegmentEntry,
    pub modified: Millis,
}

impl Listed {
    pub fn of(folder: &str, entry: &ObjectEntry) -> Option<Self> {
        SegmentEntry::of(folder, entry).map(|segment| Listed { entry: segment, modified: entry.modified })
    }
}
