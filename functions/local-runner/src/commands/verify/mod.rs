//! `highwater verify`: the backup against itself and against what Kafka and the metrics know of it, and the metrics
//! against the backup.

mod log;
mod matrix;
mod repair;
mod report;
mod witnesses;

use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::time::Instant;

use shared::{
    adapters::{instance, system_clock::SystemClock},
    archive::{
        self, ArchiveError,
        reading::{
            holdings::{self, HeldBackup},
            pinned,
            walk::{self, Depth, Reader, Walked},
        },
    },
    chain::{
        Floor, SealRule,
        keys::{self, chain_folder},
        verify::{ChainReport, Finding, Kind, Witness, figures::compare_figures, missing_tail, seals},
    },
    config::Settings,
    metrics::registers::Unreadable,
    ports::objects::Objects,
    record::Offset,
};

use self::{
    report::{Checked, Verified},
    witnesses::{Witnesses, Word, figures_of},
};
use crate::{
    cli::VerifyArgs,
    failure::{Failure, Verdict},
    output::{self, progress},
    storage,
};

pub(super) async fn run(config: Option<&str>, args: VerifyArgs) -> Result<Verdict, Failure> {
    if args.matrix {
        output::print(&matrix::Matrix::all(), args.output.json)?;
        return Ok(Verdict::Good);
    }
    let storage = match &args.location {
        Some(location) => storage::open_location(config, location).await?,
        None => storage::open(config, &args.storage).await?,
    };
    // What a location lacks is on its way, which is no damage: it is asked alone.
    let heard = storage.settings.as_ref().filter(|_| args.location.is_none());
    let witnesses = Witnesses::connect(heard).await?;
    let how = How { repair: args.repair, ..How::new(args.deep, storage.settings.as_ref()) };
    let verified = verified(&*storage.objects, args.storage.backup.as_deref(), &witnesses, &how).await?;
    output::print(&verified, args.output.json)?;
    Ok(if verified.good { Verdict::Good } else { Verdict::Wrong })
}

/// What is looked at, and what seals are checked by.
struct How {
    depth: Depth,
    /// Whether the metrics are put right.
    repair: bool,
    /// By backup.
    rules: BTreeMap<String, SealRule>,
}

impl How {
    fn new(deep: bool, settings: Option<&Settings>) -> Self {
        let depth = if deep { Depth::Records } else { Depth::Footers };
        let backups = settings.into_iter().flat_map(|settings| &settings.backups);
        let rules = backups.filter_map(|(name, backup)| Some((name.to_string(), backup.integrity.rule()?))).collect();
        How { depth, repair: false, rules }
    }
}

/// Verifies what the storage holds, or one backup of it.
async fn verified(
    objects: &dyn Objects,
    backup: Option<&str>,
    witnesses: &Witnesses,
    how: &How,
) -> Result<Verified, Failure> {
    #[allow(clippy::disallowed_methods, reason = "a command measures how long it took")]
    let began = Instant::now();
    let id = format!("verify-{}", instance::name(&SystemClock));
    let mut verified = Verified::new(witnesses, how.depth);
    let ownerless = archive::ownerless(objects).await?;
    let ownerless: Vec<_> = ownerless.into_iter().filter(|name| backup.is_none_or(|only| only == *name)).collect();
    let is_ownerless = backup.is_some_and(|only| ownerless.iter().any(|name| name == only));
    let held = if is_ownerless { vec![] } else { holdings::backups(objects, backup).await? };
    for backup in &held {
        let checked = verify(objects, backup, witnesses, how);
        verified.backups.push(pinned(objects, &backup.owner.backup, vec![], &id, checked).await??);
    }
    let is_there = |name: &&String| held.iter().any(|it| it.owner.backup == **name) || ownerless.contains(*name);
    let configured = witnesses.selects.keys().filter(|name| backup.is_none_or(|only| only == *name));
    for name in configured.filter(|name| !is_there(name)) {
        verified.backups.extend(gone(witnesses, name).await?);
    }
    verified.backups.extend(ownerless.into_iter().map(Checked::ownerless));
    verified.seconds = began.elapsed().as_secs_f64();
    verified.good = verified.findings().count() == 0;
    Ok(verified)
}

/// A configured backup of which the storage has nothing, where its figures tell of one.
async fn gone(witnesses: &Witnesses, backup: &str) -> Result<Option<Checked>, Failure> {
    let figures = witnesses.figures(backup).await?.unwrap_or_default();
    let mut chains = figures.topics.values().flat_map(|topic| topic.chains.values());
    let is_told = chains.any(|chain| chain.head.is_some_and(|head| head.next > Offset(0)));
    Ok(is_told.then(|| Checked::gone(backup.to_owned())))
}

/// The witnesses are heard before the listing, so that what is written meanwhile is no missing tail; the figures, which
/// must not be behind, are read after it.
async fn verify(
    objects: &dyn Objects,
    backup: &HeldBackup,
    witnesses: &Witnesses,
    how: &How,
) -> Result<Checked, Failure> {
    let depth = how.depth;
    let name = backup.owner.backup.as_str();
    let words = witnesses.words(objects, backup).await?;
    let bar = match depth {
        Depth::Footers => progress::objects(format!("verify {name}")),
        Depth::Records => progress::bytes(format!("verify {name}"), walk::segment_bytes(objects, name).await?),
    };
    let read = Read::default();
    let mut reader = Reader::new(objects, depth, |bytes| {
        bar.inc(if depth == Depth::Footers { 1 } else { bytes });
        read.add(bytes);
    });
    reader.rule = how.rules.get(name).cloned();
    let Walked { chains, mut findings } = walk::walk(&backup.owner, &reader).await?;
    bar.finish_and_clear();
    let of_storage = findings.len();
    findings.extend(judge(objects, backup, witnesses, how, (&chains, &words)).await?);
    if let Some(kafka) = &witnesses.kafka {
        findings.extend(log::diverged(&**kafka, objects, &chains).await?);
    }
    let mut checked = Checked {
        backup: name.to_owned(),
        bytes_read: read.bytes(),
        sealed: reader.rule.is_some(),
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
        checked.findings.extend(judge(objects, backup, witnesses, how, (&chains, &words)).await?);
    }
    checked.chains = chains.into_iter().map(|(report, _)| report).collect();
    Ok(checked)
}

/// What the witnesses and the figures say against the storage. `words` may be from before it was listed, or from now.
async fn judge(
    objects: &dyn Objects,
    backup: &HeldBackup,
    witnesses: &Witnesses,
    how: &How,
    (chains, words): (&[(ChainReport, Floor)], &[Word]),
) -> Result<Vec<Finding>, Failure> {
    let backup = backup.owner.backup.as_str();
    let mut findings = vec![];
    if let Some(figures) = witnesses.figures(backup).await? {
        findings.extend(figures.unreadable.iter().map(|it| unreadable(backup, it)));
        for (report, floor) in chains {
            let of_chain = figures_of(&figures, &report.chain);
            // It may have moved since the chain was looked at.
            let is_ahead = of_chain.floor.is_some_and(|(start, _)| start > floor.base);
            let now = if is_ahead { Some(archive::read_floor(objects, &report.chain).await?.floor) } else { None };
            findings.extend(compare_figures(report, now.as_ref().unwrap_or(floor), of_chain));
        }
    }
    for word in words {
        let report = chains.iter().map(|(report, _)| report).find(|report| chain_folder(&report.chain) == word.folder);
        let stored = report.map_or_else(Offset::default, |report| report.next);
        let witness = Witness { who: &word.who, next: word.next };
        if let Some(finding) = missing_tail(&word.folder, stored, witness)
            && !has_grown(objects, report, word).await?
        {
            let accepted = archive::accepted_losses_in(objects, &word.folder).await?;
            let forged = report.zip(how.rules.get(backup)).and_then(|(report, rule)| {
                seals::of_losses(&keys::accepted_loss(&report.chain), &accepted.worth(&report.chain, rule))
            });
            let is_accepted = accepted.cover(stored, word.next);
            findings.extend((!is_accepted || forged.is_some()).then_some(finding));
            findings.extend(forged.filter(|_| is_accepted));
        }
    }
    Ok(findings)
}

fn unreadable(backup: &str, register: &Unreadable) -> Finding {
    let detail = format!("field {:?} of {} in redis cannot be read", register.field, register.kind.key(backup));
    Finding::of_object(Kind::Metrics, keys::backup_folder(backup), detail)
}

/// Whether a chain has come to where a witness saw it since it was listed.
async fn has_grown(objects: &dyn Objects, report: Option<&ChainReport>, word: &Word) -> Result<bool, Failure> {
    let Some(report) = report else { return Ok(false) };
    match archive::chain_end(objects, &report.chain, None).await {
        Ok(end) => Ok(end.frontier.next >= word.next),
        Err(ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How many bytes of segments were read.
#[derive(Default)]
struct Read(AtomicU64);

impl Read {
    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
