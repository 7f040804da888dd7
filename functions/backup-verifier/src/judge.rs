//! What Kafka's group and the figures say, against the storage.

use shared::{
    archive::{self, ArchiveError},
    chain::{
        Floor, SealRule,
        keys::{self, chain_folder},
        verify::{
            ChainReport, Finding, FindingKind, Witness,
            figures::{Compared, compare_figures},
            missing_tail, seals,
        },
    },
    metrics::registers::{Registers, Unreadable},
    ports::objects::Objects,
    record::Offset,
};

use crate::{
    VerifyError,
    witnesses::{Witnesses, Word, figures_of},
};

/// What was found against the storage.
#[derive(Default)]
pub(crate) struct Judged {
    pub findings: Vec<Finding>,
    /// What is not wrong with a chain, and should be known, by its folder.
    pub notes: Vec<Finding>,
}

/// What the witnesses and the figures say against the storage. `words` may be from before it was listed, or from now.
pub(crate) async fn judge(
    objects: &dyn Objects,
    backup: &str,
    witnesses: &Witnesses,
    rule: Option<&SealRule>,
    (chains, words): (&[(ChainReport, Floor)], &[Word]),
) -> Result<Judged, VerifyError> {
    let mut judged = match witnesses.figures(backup).await? {
        Some(figures) => of_figures(objects, backup, &figures, witnesses.is_configured(backup), chains).await?,
        None => Judged::default(),
    };
    for word in words {
        let report = chains.iter().map(|(report, _)| report).find(|report| chain_folder(&report.chain) == word.folder);
        let stored = report.map_or_else(Offset::default, |report| report.next);
        let witness = Witness { who: &word.who, next: word.next };
        if let Some(finding) = missing_tail(&word.folder, stored, witness)
            && !has_grown(objects, report, word).await?
        {
            let accepted = archive::accepted_losses_in(objects, &word.folder).await?;
            let forged = report.zip(rule).and_then(|(report, rule)| {
                seals::of_losses(&keys::accepted_loss(&report.chain), &accepted.worth(&report.chain, rule))
            });
            let is_accepted = accepted.cover(stored, word.next);
            judged.findings.extend((!is_accepted || forged.is_some()).then_some(finding));
            judged.findings.extend(forged.filter(|_| is_accepted));
        }
    }
    Ok(judged)
}

/// The figures of a backup. Nothing brings those back that are missing of a backup that is not configured, and nothing shows
/// them.
async fn of_figures(
    objects: &dyn Objects,
    backup: &str,
    figures: &Registers,
    is_configured: bool,
    chains: &[(ChainReport, Floor)],
) -> Result<Judged, VerifyError> {
    let mut judged = Judged::default();
    judged.findings.extend(figures.unreadable.iter().map(|it| unreadable(backup, it)));
    for (report, floor) in chains {
        let of_chain = figures_of(figures, &report.chain);
        // It may have moved since the chain was looked at.
        let is_ahead = of_chain.floor.is_some_and(|(start, _)| start > floor.base);
        let now = if is_ahead { Some(archive::read_floor(objects, &report.chain).await?.floor) } else { None };
        let Compared { missing, wrong } = compare_figures(report, now.as_ref().unwrap_or(floor), &of_chain);
        judged.findings.extend(wrong);
        if is_configured {
            judged.findings.extend(missing);
        } else {
            judged.notes.extend(missing.into_iter().map(unshown));
        }
    }
    Ok(judged)
}

fn unshown(mut missing: Finding) -> Finding {
    missing
        .detail
        .push_str("; this backup is not configured here, so nothing shows them. `verify --repair` brings them back");
    missing
}

fn unreadable(backup: &str, register: &Unreadable) -> Finding {
    let detail = format!("field {:?} of {} in redis cannot be read", register.field, register.kind.key(backup));
    Finding::of_object(FindingKind::Metrics, keys::backup_folder(backup), detail)
}

/// Whether a chain has come to where a witness saw it since it was listed.
async fn has_grown(objects: &dyn Objects, report: Option<&ChainReport>, word: &Word) -> Result<bool, VerifyError> {
    let Some(report) = report else { return Ok(false) };
    match archive::chain_end(objects, &report.chain, None).await {
        Ok(end) => Ok(end.frontier.next >= word.next),
        Err(ArchiveError::Damaged { .. } | ArchiveError::Foreign { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
