//! The figures of what a command stored: lag-monitor in this process, once the command is through.

use lag_monitor::{Refresh, RefreshReport};
use shared::{adapters::connect, config::Settings};

use super::writer::Writer;
use crate::failure::Failure;

/// The first refresh may begin an epoch of the figures while somebody else writes them, and the next completes it.
const REFRESHES_MAX: usize = 3;

/// Writes to the store of figures what the storage holds of all backups. Nothing where no store is configured. What
/// cannot be written is a warning: a backup is not worse for it, and lag-monitor's next refresh heals the figures.
pub(super) async fn make_known(settings: &Settings, writer: &Writer) {
    if settings.redis.is_none() {
        return;
    }
    if let Err(error) = refreshed(settings, writer).await {
        tracing::warn!("the backup is stored, but its figures could not be written: {error}; lag-monitor will do it");
    }
}

async fn refreshed(settings: &Settings, writer: &Writer) -> Result<(), Failure> {
    let Writer { kafka, objects, clock, .. } = writer;
    let store = connect::redis_at_need(settings)?;
    let context = lag_monitor::Context::new(settings, kafka.clone(), objects.clone(), store, clock.clone());
    for _ in 0..REFRESHES_MAX {
        if is_known(&lag_monitor::handle(Refresh::default(), &context).await?) {
            break;
        }
    }
    Ok(())
}

/// Whether nothing more comes of another refresh. What failed is in the log already.
fn is_known(report: &RefreshReport) -> bool {
    report.backups.iter().all(|backup| backup.complete || !backup.failures.is_empty())
}
