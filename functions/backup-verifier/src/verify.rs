//! One run, backup by backup.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use shared::{
    archive::{
        self,
        reading::{
            holdings::{self, HeldBackup},
            pinned,
            walk::{self, Depth, Reader, Walked},
        },
    },
    chain::{
        SealRule, keys,
        verify::{ChainReport, Finding},
    },
    metrics::verifications::{self, Verification},
    ports::{objects::Objects, store::Store},
    record::Millis,
};

use crate::{
    Context, Progress, Verify, VerifyError,
    judge::judge,
    log, repair,
    report::{Checked, Verified},
    witnesses::Witnesses,
};

/// What is looked at, and what seals are checked by.
pub(crate) struct How {
    pub depth: Depth,
    /// Whether the figures are put right.
    pub repair: bool,
    /// By backup.
    pub seals: BTreeMap<String, SealRule>,
    /// The name of the pins.
    pub reader: String,
    pub progress: Arc<dyn Progress>,
}

pub(crate) async fn run(input: &Verify, context: &Context) -> Result<Verified, VerifyError> {
    let began = context.clock.now();
    let how = How {
        depth: if input.deep { Depth::Records } else { Depth::Footers },
        repair: input.repair,
        seals: context.seals.clone(),
        reader: context.reader.clone(),
        progress: context.progress.clone(),
    };
    let mut verified = verified(&*context.objects, input.backup.as_deref(), &context.witnesses, &how).await?;
    let ended = context.clock.now();
    verified.seconds = ended.0.saturating_sub(began.0) as f64 / 1_000.0;
    if verified.not_compared.is_empty()
        && let Some(store) = &context.witnesses.store
    {
        keep(&**store, &verified, ended).await?;
    }
    Ok(verified)
}

/// Keeps the result of each backup in the store, where metrics-query reads it. That of a run without a witness would hide
/// what this witness knows.
async fn keep(store: &dyn Store, verified: &Verified, at: Millis) -> Result<(), VerifyError> {
    let result = |checked: &Checked| Verification {
        backup: checked.backup.as_str().into(),
        at,
        deep: verified.deep,
        findings: checked.all_findings().count() as u64,
    };
    let operations: Vec<_> =
        verified.backups.iter().map(result).flat_map(|result| verifications::operations(&result)).collect();
    if !operations.is_empty() {
        store.apply(&[], &operations).await?;
    }
    Ok(())
}

/// Verifies what the storage holds, or one backup of it.
pub(crate) async fn verified(
    objects: &dyn Objects,
    backup: Option<&str>,
    witnesses: &Witnesses,
    how: &How,
) -> Result<Verified, VerifyError> {
    if how.repair && witnesses.store.is_none() {
        return Err(VerifyError::NoFigures);
    }
    let mut verified = Verified::new(witnesses, how.depth);
    let ownerless = archive::ownerless(objects).await?;
    let ownerless: Vec<_> = ownerless.into_iter().filter(|name| backup.is_none_or(|only| only == *name)).collect();
    let is_ownerless = backup.is_some_and(|only| ownerless.iter().any(|name| name == only));
    let held = if is_ownerless { vec![] } else { holdings::backups(objects, backup).await? };
    for backup in &held {
        let checked = check(objects, backup, witnesses, how);
        verified.backups.push(pinned(objects, &backup.owner.backup, vec![], &how.reader, checked).await??);
    }
    let is_there = |name: &&String| held.iter().any(|it| it.owner.backup == **name) || ownerless.contains(*name);
    let configured = witnesses.configured.keys().filter(|name| backup.is_none_or(|only| only == *name));
    let missing: Vec<&String> = configured.filter(|name| !is_there(name)).collect();
    for name in missing {
        verified.backups.extend(gone(objects, witnesses, name).await?);
    }
    verified.backups.extend(ownerless.into_iter().map(Checked::ownerless));
    verified.good = verified.not_compared.is_empty() && verified.findings().count() == 0;
    Ok(verified)
}

/// A configured backup of which the storage has nothing, where its figures or Kafka's group tell of one.
async fn gone(objects: &dyn Objects, witnesses: &Witnesses, backup: &str) -> Result<Option<Checked>, VerifyError> {
    let Some(who) = witnesses.of_unknown(backup).await? else { return Ok(None) };
    // It may have been begun since the listing.
    let is_there = archive::read_owner(objects, backup).await?.is_some();
    Ok((!is_there).then(|| Checked::gone(backup.to_owned(), who)))
}

/// The witnesses are heard before the listing, so that what is written meanwhile is no missing tail; the figures, which
/// must not be behind, are read after it.
async fn check(
    objects: &dyn Objects,
    backup: &HeldBackup,
    witnesses: &Witnesses,
    how: &How,
) -> Result<Checked, VerifyError> {
    let name = backup.owner.backup.as_str();
    let words = witnesses.words(objects, backup).await?;
    let bytes = match how.depth {
        Depth::Footers => None,
        Depth::Records => Some(walk::segment_bytes(objects, name).await?),
    };
    how.progress.begin(name, bytes);
    let bytes_read = AtomicU64::new(0);
    let mut reader = Reader::new(objects, how.depth, |bytes| {
        how.progress.read(bytes);
        bytes_read.fetch_add(bytes, Ordering::Relaxed);
    });
    reader.rule = how.seals.get(name).cloned();
    let walked = walk::walk(&backup.owner, &reader).await;
    how.progress.end();
    let Walked { chains, mut findings } = walked?;
    if let Some(kafka) = &witnesses.kafka {
        let going_on = chains.iter().map(|(report, _)| &report.chain);
        let going_on = going_on.filter(|chain| witnesses.goes_on(name, &chain.topic));
        findings.extend(log::diverged(&**kafka, objects, going_on).await?);
    }
    let of_storage = findings.len();
    let rule = reader.rule.as_ref();
    let mut judged = judge(objects, name, witnesses, rule, (&chains, &words)).await?;
    findings.append(&mut judged.findings);
    let mut checked = Checked {
        backup: name.to_owned(),
        bytes_read: bytes_read.load(Ordering::Relaxed),
        sealed: rule.is_some(),
        repairs: vec![],
        chains: vec![],
        findings,
    };
    if how.repair {
        let sealed: HashSet<_> = chains
            .iter()
            .filter(|(it, _)| it.seals.valid > 0 && it.findings.is_empty())
            .map(|(it, _)| &it.chain)
            .collect();
        checked.repairs = repair::repair(objects, backup, witnesses, &chains, |chain| sealed.contains(chain)).await?;
        checked.findings.truncate(of_storage);
        let words = witnesses.words(objects, backup).await?;
        judged = judge(objects, name, witnesses, rule, (&chains, &words)).await?;
        checked.findings.append(&mut judged.findings);
    }
    checked.chains = chains.into_iter().map(|(report, _)| noted(report, &judged.notes)).collect();
    Ok(checked)
}

/// A chain with the notes on it.
fn noted(mut report: ChainReport, notes: &[Finding]) -> ChainReport {
    let folder = keys::chain_folder(&report.chain);
    report.notes.extend(notes.iter().filter(|note| note.key == folder).cloned());
    report
}
