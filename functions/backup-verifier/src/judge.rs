//! What Kafka's group and the figures say, against the storage.

use shared::{
    archive::{self, ArchiveError},
    chain::{
        Floor, SealRule,
        keys::{self, chain_folder},
        verify::{ChainReport, Finding, FindingKind, Witness, figures::compare_figures, missing_tail, seals},
    },
    metrics::registers::Unreadable,
    ports::objects::Objects,
    record::Offset,
};

use crate::{
    VerifyError,
    witnesses::{Witnesses, Word, figures_of},
};

/// What the witnesses and the figures say against the storage. `words` may be from before it was listed, or from now.
pub(crate) async fn judge(
    objects: &dyn Objects,
    backup: &str,
    witnesses: &Witnesses,
    rule: Option<&SealRule>,
    (chains, words): (&[(ChainReport, Floor)], &[Word]),
) -> Result<Vec<Finding>, VerifyError> {
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
            let forged = report.zip(rule).and_then(|(report, rule)| {
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
