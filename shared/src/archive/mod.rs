//! A backup in the object storage: what it holds, read and written through the [`Objects`](crate::ports::objects) port.
//!
//! The rules are the [`chain`](crate::chain)'s; here are the requests. Nothing is kept between calls: the storage is the truth.

mod accepted;
mod claims;
mod clock;
pub mod control;
mod error;
mod floor;
mod frontier;
mod groups;
mod history;
mod listing;
mod operations;
mod owner;
mod pause;
pub mod pins;
pub mod reading;
mod segments;
mod snapshots;
mod topics;
mod tree;

pub use accepted::{
    AcceptedLoss, AcceptedLosses, Cut, accept_loss, accepted_losses_behind, accepted_losses_in, decide_losses,
    note_loss, read_accepted_losses, resume_writing,
};
pub use claims::{Claim, claims, incarnation_of};
pub use clock::store_time;
pub use error::{ArchiveError, undecodable};
pub use floor::{StoredFloor, floor_base_in, move_floor, read_floor};
pub use frontier::{ChainEnd, ChainHint, chain_end, newer_than};
pub use groups::{GroupOffset, GroupSnapshot, group_moments, groups, latest_group, store_group};
pub use history::{Divergence, LogComparison};
pub use listing::objects_below;
pub use operations::{
    FailedEntry, LocationPause, advance_status, changed_since, clear_failed, compared_at, failed_operations,
    failed_statuses, forget_completed, location_pause, note_compared, note_failed, pause_location, put_status,
    read_status, resume_location, retry_now, schedule_resume,
};
pub use owner::{Owner, check_owner, claim_owner, read_owner};
pub use pause::{Pauses, pause, read_pauses, resume};
pub use segments::{SegmentEntry, chain_objects, read_footer, read_metadata, read_segment, read_whole};
pub use topics::{TopicSnapshot, latest_topic, store_topic};
pub use tree::{backups, chains, chains_of_topic, ownerless, topics};
