//! Whose word about accepted losses counts.

use shared::{
    archive::AcceptedLosses,
    chain::{ChainIdentity, SealRule, seal::Worth},
};

use crate::Backup;

/// Whether it was somebody with the key who accepted, where there is one.
pub(crate) fn is_believed(backup: &Backup, chain: &ChainIdentity, accepted: &AcceptedLosses) -> bool {
    let Some(key) = &backup.seal_key else { return true };
    let keys = std::iter::once(&**key).chain(&backup.former_seal_keys).cloned().collect();
    let rule = SealRule { keys, since: None };
    accepted.worth(chain, &rule) == Worth::Valid
}
