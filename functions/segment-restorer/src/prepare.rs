//! From a plan to what is done, with everything that stands in the way.

use shared::{
    archive::Owner,
    restore::{
        Finding, Plan, Severity, TopicJob,
        preflight::{Kind, TargetTopic},
        progress::Fixed,
        resolve,
    },
};

use crate::{
    acls,
    context::Context,
    creation,
    error::RestoreError,
    groups, ids,
    prepared::{Prepared, PreparedTopic},
    source::{self, SourceTopic},
    target,
};

/// Looks at everything and writes nothing.
pub(crate) async fn prepare(plan: &Plan, backup: Owner, context: &Context) -> Result<Prepared, RestoreError> {
    let held = source::topics(&*context.objects, &backup).await?;
    let (jobs, mut findings) = resolve(plan, &held);
    let names: Vec<_> = jobs.iter().map(|job| job.target.clone()).collect();
    let mut targets = target::describe(&*context.target, &backup.cluster_id, &backup.backup, &names).await?;
    let mut topics = vec![];
    for job in jobs {
        match source::topic(&*context.objects, &backup, &job).await? {
            Some(source) => topics.push(found(plan, &job, source, targets.remove(&job.target))),
            None => findings.push(no_such_incarnation(&job)),
        }
    }
    findings.extend(ids::put(plan, &mut topics, &*context.objects).await?);
    for topic in topics.iter_mut().filter(|_| plan.create && !plan.groups_only) {
        findings.extend(creation::check(topic, plan, &*context.target).await?);
    }
    findings.extend(acls::check(plan, &topics, &*context.target).await?);
    let now = context.clock.now();
    if !plan.groups_only {
        findings.extend(topics.iter().flat_map(|topic| topic.findings(plan, now)));
    }
    let groups = groups::find(plan, &backup.backup, &topics, context).await?;
    findings.extend(groups.findings);
    let snapshots = groups.snapshots;
    Ok(Prepared { backup, plan: plan.clone(), findings, topics, snapshots })
}

pub(crate) fn no_such_incarnation(job: &TopicJob) -> Finding {
    let message = match job.incarnation {
        Some(n) => format!("the backup holds no incarnation {n} of this topic: `highwater topics` lists them"),
        None => "nobody claimed this topic in the backup: `highwater verify` tells more".to_owned(),
    };
    let topic = Some(job.source.clone());
    Finding { severity: Severity::Refused, kind: Kind::UnknownTopic, topic, partition: None, message }
}

/// One topic as it was found.
pub(crate) fn found(plan: &Plan, job: &TopicJob, source: SourceTopic, target: Option<TargetTopic>) -> PreparedTopic {
    let SourceTopic { claim, partitions, selections, setup } = source;
    let needed_partitions = target::partition_count(partitions.iter().map(|partition| &partition.chain));
    let source_partitions = setup.as_ref().map_or(0, |setup| setup.partitions).max(needed_partitions);
    let fixed = Fixed {
        source: job.source.clone(),
        source_topic_id: claim.topic_id,
        incarnation: claim.incarnation,
        time: job.time,
        partitions: job.partitions.clone(),
        filter: job.filter.as_ref().map(ToString::to_string),
        rehash: plan.rehash,
        origin_headers: plan.origin_headers.clone(),
        schema_ids: None,
        clamp_timestamps: plan.clamp_timestamps.clone(),
    };
    PreparedTopic {
        fixed,
        target_name: job.target.clone(),
        target,
        create_partitions: job.target_partitions.map_or(source_partitions, i32::from),
        source_partitions,
        needed_partitions,
        create_settings: creation::settings(plan, setup.as_ref()),
        acls: acls::of(plan, setup.as_ref(), &job.target),
        source: partitions,
        selections,
    }
}
