//! The restore of one topic: its target is made, its producers take over, its workers run side by side.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, future::join_all, stream};
use shared::{
    archive::Owner,
    crash,
    function::with_sources,
    ports::{records::TopicSettings, transactions::TransactionalProducer},
    record::Millis,
    restore::{
        Clamp, Finding, Plan, RestoreId, Selection, SourcePartition,
        preflight::{Kind, TargetTopic},
        raising::over,
    },
};

use crate::{
    Restore,
    context::Context,
    error::RestoreError,
    limiter::Limiter,
    meter::PartitionMeter,
    prepared::{Prepared, PreparedTopic},
    progress_log,
    raising::Raising,
    reading::Start,
    report::{Outcome, Reached, RestoreReport, TopicReport},
    take_over::TakeOver,
    target,
    worker::{Aim, Ended, Worker},
};

/// Restores all topics, some at a time.
pub(crate) async fn restore_all(prepared: &Prepared, input: &Restore, context: &Context) -> RestoreReport {
    let Prepared { backup, plan, findings, topics, .. } = prepared;
    let limiter = Arc::new(Limiter::new(plan.records_per_s, plan.bytes_per_s.map(|max| max.0)));
    let mut restores = vec![];
    for topic in topics {
        restores.push(restore(topic, backup, plan, input.deadline, limiter.clone(), context));
    }
    let topics: Vec<TopicReport> = stream::iter(restores).buffered(context.limits.topics_max).collect().await;
    let outcome = RestoreReport::outcome_of(&topics);
    RestoreReport { backup: backup.backup.clone(), outcome, findings: findings.clone(), topics, groups: vec![] }
}

/// Restores a topic, and says how that ended.
async fn restore(
    topic: &PreparedTopic,
    backup: &Owner,
    plan: &Plan,
    deadline: Option<Millis>,
    limiter: Arc<Limiter>,
    context: &Context,
) -> TopicReport {
    let mut reached = Reached::default();
    let mut run = Run { topic, backup, plan, deadline, context, limiter, reached: &mut reached };
    let ended = Box::pin(run.run()).await;
    let (outcome, error) = match ended {
        Ok(Ended::Done) => (Outcome::Done, None),
        Ok(Ended::Stopped) => (Outcome::Stopped, None),
        Err(error) if error.is_fenced() => (Outcome::TakenOver, Some(error)),
        Err(error) => (Outcome::Failed, Some(error)),
    };
    if outcome == Outcome::Failed {
        context.meter.failed(&topic.target_name);
    }
    let error = error.map(|error| with_sources(&error));
    TopicReport { error, ..topic.report(outcome, &reached) }
}

struct Run<'a> {
    topic: &'a PreparedTopic,
    backup: &'a Owner,
    plan: &'a Plan,
    deadline: Option<Millis>,
    context: &'a Context,
    limiter: Arc<Limiter>,
    /// How far it is, as it was committed.
    reached: &'a mut Reached,
}

impl<'a> Run<'a> {
    async fn run(&mut self) -> Result<Ended, RestoreError> {
        let target = self.target().await?;
        // Before a record can be read by whom the rules keep out.
        self.context.target.add_acls(self.topic.acls.as_deref().unwrap_or_default()).await?;
        let restore = RestoreId::of(&self.backup.cluster_id, &self.backup.backup, &target.id);
        progress_log::create(&*self.context.target).await?;
        let taken = TakeOver::new(self.topic, self.backup, self.plan, &restore, &target, self.context).run().await?;
        *self.reached = Reached::of(&taken.progress);
        self.expect();
        let known = PreparedTopic { target: Some(target.clone()), ..self.topic.clone() };
        let now = self.context.clock.now();
        let raised = known.raised(self.plan, now);
        let aim = self.aim(restore, &target, &raised);
        let mut raising = Raising {
            kafka: &*self.context.target,
            name: &self.topic.target_name,
            topic_id: &aim.target_id,
            restore: &aim.restore,
            holder: taken.holder,
            raised: taken.progress.raised.unwrap_or_default(),
            now,
        };
        let ended = match raising.raise(&raised).await {
            Ok(()) => self.work(&aim, taken.producers).await,
            Err(error) => Err(error),
        };
        // Another run that took over has them raised, and puts them back.
        if ended.as_ref().is_err_and(RestoreError::is_fenced) {
            return ended;
        }
        match (raising.put_back().await, ended) {
            (Ok(()), ended) => ended,
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(ended)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "settings are not put back, the next run does: {error}"
                );
                Err(ended)
            }
        }
    }

    /// What the workers are told.
    fn aim(&self, restore: RestoreId, target: &TargetTopic, raised: &TopicSettings) -> Aim {
        let margin = i64::try_from(self.context.limits.deadline_margin.as_millis()).unwrap_or(i64::MAX);
        // A transaction is no larger than what is allowed in a second, so that the writing is even.
        let asked = [self.plan.transaction_bytes_max, self.plan.bytes_per_s].into_iter().flatten().map(|max| max.0);
        let header = self.plan.clamp_timestamps.as_deref();
        Aim {
            restore,
            transaction_bytes_max: asked.min().unwrap_or(self.context.limits.transaction_bytes_max),
            source: self.topic.fixed.source.clone(),
            target: self.topic.target_name.clone(),
            target_id: target.id.clone(),
            target_partitions: target.partitions,
            rehash: self.plan.rehash,
            origin_headers: self.plan.origin_headers.clone(),
            clamp: header.map(|header| Clamp::new(header, &over(&target.settings, raised))),
            limiter: self.limiter.clone(),
            stop_at: self.deadline.map(|deadline| Millis(deadline.0.saturating_sub(margin))),
        }
    }

    /// All workers side by side, to their end.
    async fn work(&mut self, aim: &Aim, producers: Vec<Box<dyn TransactionalProducer>>) -> Result<Ended, RestoreError> {
        let mut workers = self.workers(aim, producers);
        let ended = join_all(workers.iter_mut().map(Worker::run)).await;
        for worker in workers {
            self.reached.positions.extend(worker.positions);
            for (partition, missing) in worker.missing {
                self.reached.missing.entry(partition).or_default().extend(missing);
            }
        }
        first_trouble(ended)
    }

    /// The target as it is, made where it is not there. What only shows then is told before anything is written to it.
    async fn target(&self) -> Result<TargetTopic, RestoreError> {
        let (topic, context) = (self.topic, self.context);
        if let Some(target) = &topic.target {
            return Ok(target.clone());
        }
        let settings: Vec<_> =
            topic.create_settings.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        context.target.create_topic(&topic.target_name, topic.create_partitions, &settings).await?;
        crash::point("restore-created");
        let within = context.limits.leaders_within;
        target::wait_for_leaders(&*context.target, &topic.target_name, topic.create_partitions, within).await?;
        let names = std::slice::from_ref(&topic.target_name);
        let Owner { cluster_id, backup, .. } = self.backup;
        let mut described = target::describe(&*context.target, cluster_id, backup, names).await?;
        let none = || RestoreError::NoLeaders { name: topic.target_name.clone(), within_s: within.as_secs() };
        let target = described.remove(&topic.target_name).ok_or_else(none)?;
        let known = PreparedTopic { target: Some(target.clone()), ..topic.clone() };
        let refusals = known.findings(self.plan, context.clock.now());
        for note in refusals.iter().filter(|it| it.kind == Kind::Timestamps && !it.is_refusal()) {
            tracing::warn!(topic = &*topic.target_name, "{note}");
        }
        let refusals: Vec<_> = refusals.iter().filter(|it| it.is_refusal()).map(Finding::to_string).collect();
        match refusals.is_empty() {
            true => Ok(target),
            false => Err(RestoreError::Unsuitable { name: topic.target_name.clone(), why: refusals.join("; ") }),
        }
    }

    /// Each producer with the partitions that are its own.
    fn workers(&self, aim: &Aim, producers: Vec<Box<dyn TransactionalProducer>>) -> Vec<Worker<'a>> {
        let count = producers.len();
        let mut starts: Vec<Vec<Start>> = producers.iter().map(|_| vec![]).collect();
        for (source, selection) in self.topic.restored() {
            let from = selection.offsets.from.unwrap_or(source.floor.base);
            let (source_of, selection) = (Arc::new(source.clone()), Arc::new(selection.clone()));
            let start = Start { source: source_of, selection, from, skip_damaged: self.plan.skip_damaged };
            let number = usize::try_from(source.chain.partition.0).unwrap_or(0) % count;
            starts[number].push(start);
        }
        let worker = |(producer, starts): (Box<dyn TransactionalProducer>, Vec<Start>)| {
            let own = |start: &Start| {
                let partition = start.source.chain.partition;
                Some((partition, *self.reached.positions.get(&partition)?))
            };
            let positions = starts.iter().filter_map(own).collect();
            Worker {
                context: self.context,
                aim: aim.clone(),
                producer,
                starts,
                positions,
                missing: BTreeMap::new(),
                is_open: false,
            }
        };
        producers.into_iter().zip(starts).map(worker).collect()
    }

    /// Tells whoever shows progress how much there is, and how much of it is done.
    fn expect(&self) {
        let meter = |(source, selection): (&SourcePartition, &Selection)| {
            let partition = source.chain.partition;
            (partition, PartitionMeter::new(source, selection, self.reached.positions.get(&partition)))
        };
        self.context.meter.expect(&self.topic.target_name, self.topic.restored().map(meter).collect());
    }
}

/// The first error that is not the loss of a producer, which has its cause elsewhere; or how the workers ended.
fn first_trouble(ended: Vec<Result<Ended, RestoreError>>) -> Result<Ended, RestoreError> {
    let (mut stopped, mut errors) = (false, vec![]);
    for ended in ended {
        match ended {
            Ok(ended) => stopped |= ended == Ended::Stopped,
            Err(error) => errors.push(error),
        }
    }
    errors.sort_by_key(RestoreError::is_fenced);
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None if stopped => Ok(Ended::Stopped),
        None => Ok(Ended::Done),
    }
}
