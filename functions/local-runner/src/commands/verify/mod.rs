//! `highwater verify`: the backup against itself and against what Kafka and the metrics know of it, and the metrics
//! against the backup.

mod matrix;
mod report;
mod witnesses;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::time::Instant;

use shared::{
    archive,
    chain::{
        SealRule,
        keys::chain_folder,
        verify::{ChainReport, Finding, Witness, compare_figures, missing_tail},
    },
    config::Settings,
    metrics::registers::Registers,
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
    storage::{
        self,
        holdings::{self, HeldBackup},
        pinned::pinned,
        walk::{self, Depth, Reader, Walked},
    },
};

pub(super) async fn run(config: Option<&str>, args: VerifyArgs) -> Result<Verdict, Failure> {
    if args.matrix {
        output::print(&matrix::Matrix::all(), args.output.json)?;
        return Ok(Verdict::Good);
    }
    let storage = storage::open(config, &args.storage).await?;
    let witnesses = Witnesses::connect(storage.settings.as_ref()).await?;
    let how = How::new(args.deep, storage.settings.as_ref());
    let verified = verified(&*storage.objects, args.storage.backup.as_deref(), &witnesses, &how).await?;
    output::print(&verified, args.output.json)?;
    Ok(if verified.good { Verdict::Good } else { Verdict::Wrong })
}

/// What is looked at, and what seals are checked by.
struct How {
    depth: Depth,
    /// By backup.
    rules: BTreeMap<String, SealRule>,
}

impl How {
    fn new(deep: bool, settings: Option<&Settings>) -> Self {
        let depth = if deep { Depth::Records } else { Depth::Footers };
        let backups = settings.into_iter().flat_map(|settings| &settings.backups);
        let rules = backups.filter_map(|(name, backup)| Some((name.to_string(), backup.integrity.rule()?))).collect();
        How { depth, rules }
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
    let mut verified = Verified::new(witnesses, how.depth);
    let ownerless = archive::ownerless(objects).await?;
    let ownerless: Vec<_> = ownerless.into_iter().filter(|name| backup.is_none_or(|only| only == *name)).collect();
    let is_ownerless = backup.is_some_and(|only| ownerless.iter().any(|name| name == only));
    let held = if is_ownerless { vec![] } else { holdings::backups(objects, backup).await? };
    for backup in &held {
        let checked = verify(objects, backup, witnesses, how);
        verified.backups.push(pinned(objects, &backup.owner.backup, vec![], "verify", checked).await??);
    }
    verified.backups.extend(ownerless.into_iter().map(Checked::ownerless));
    verified.seconds = began.elapsed().as_secs_f64();
    verified.good = verified.findings().count() == 0;
    Ok(verified)
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
    let figures = witnesses.figures(name).await?;
    let live = witnesses.live(name).await?;
    // Of a topic that was deleted, or is taken no more, the data stays and the figures end.
    let ended = |topic: &str, figures: &Registers| {
        !figures.topics.contains_key(topic) && live.as_ref().is_some_and(|live| !live.contains(topic))
    };
    let compared = |figures| chains.iter().filter(move |(report, _)| !ended(&report.chain.topic, figures));
    for (report, floor) in figures.iter().flat_map(compared) {
        findings.extend(compare_figures(report, floor, figures_of(figures.as_ref(), &report.chain)));
    }
    let chains: Vec<_> = chains.into_iter().map(|(report, _)| report).collect();
    for word in &words {
        if let Some(finding) = contradicted(word, &chains)
            && !is_accepted(objects, word, &chains).await?
        {
            findings.push(finding);
        }
    }
    Ok(Checked { backup: name.to_owned(), bytes_read: read.bytes(), sealed: reader.rule.is_some(), chains, findings })
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

fn contradicted(word: &Word, chains: &[ChainReport]) -> Option<Finding> {
    let stored = stored(word, chains);
    missing_tail(&word.folder, stored, Witness { who: &word.who, next: word.next })
}

/// Whether somebody has accepted already that this is missing.
async fn is_accepted(objects: &dyn Objects, word: &Word, chains: &[ChainReport]) -> Result<bool, Failure> {
    let accepted = archive::accepted_losses_in(objects, &word.folder).await?;
    Ok(accepted.cover(stored(word, chains), word.next))
}

fn stored(word: &Word, chains: &[ChainReport]) -> Offset {
    let report = chains.iter().find(|report| chain_folder(&report.chain) == word.folder);
    report.map_or_else(Default::default, |report| report.next)
}

#[cfg(test)]
mod damage;
#[cfg(test)]
mod tests;
