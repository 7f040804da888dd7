//! The one table of functions. Adding a function is one row here and one crate in `functions/`.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::future::BoxFuture;
use serde_json::json;
use shared::{
    config::{
        BackupName, BackupSettings, Settings,
        backups::{DrillSettings, VerifySettings},
    },
    function::answer,
    web::{HttpRequest, HttpResponse},
};

use super::{
    function::{
        Function, Row, Schedule,
        Trigger::{self, Http, Poller},
    },
    port::Port,
    ports::Need::{Kafka, Locations, Redis, Storage, Target},
};

/// How often it is looked what consumer groups have committed.
const GROUPS_EVERY: Duration = Duration::from_secs(60);

/// All functions.
pub static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    vec![
        Row::from(Function {
            name: segment_writer::NAME,
            about: "Kafka to segments",
            needs: &[Kafka, Storage],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (kafka, objects) = (world.kafka()?, world.objects()?);
                let context =
                    segment_writer::Context::of(world.settings, kafka, objects, world.clock(), world.instance);
                Some(context.pushing(world.ports.pushing.clone()).counted_in(world.store()))
            },
            triggers: &[Poller(
                |context, stop| Box::pin(async move { segment_writer::follow(&context, &stop).await }),
                drains,
            )],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| segment_writer::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: segment_expirer::NAME,
            about: "Old segments out of the backup",
            needs: &[Storage],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (objects, store) = (world.objects()?, world.store());
                Some(Arc::new(segment_expirer::Context::new(world.settings, objects, store, world.clock())))
            },
            triggers: &[Trigger::Schedule(expiries)],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| segment_expirer::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: object_replicator::NAME,
            about: "Objects to other locations",
            needs: &[Kafka, Storage, Locations],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (kafka, objects, buckets) = (world.kafka()?, world.objects()?, world.ports.buckets.clone()?);
                let locations = world.ports.locations.iter();
                let locations = locations.map(|(name, store)| object_replicator::Location::new(name, store.clone()));
                let (settings, store, clock) = (world.settings, world.store(), world.clock());
                let locations = locations.collect();
                let context =
                    object_replicator::Context::new(settings, kafka, objects, buckets, store, clock, locations);
                context.ok().filter(|_| settings.replicates()).map(Arc::new)
            },
            triggers: &[
                Poller(
                    |context, stop| Box::pin(async move { object_replicator::follow(&context, &stop).await }),
                    |settings| if settings.replicates() { often(settings) } else { vec![] },
                ),
                Trigger::Schedule(|settings| {
                    let every = settings.replication.reconcile_every.0;
                    vec![Schedule { payload: json!({ "reconcile": true }), every }]
                }),
            ],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| object_replicator::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: segment_restorer::NAME,
            about: "Topics of a backup into a cluster, and drills of that",
            needs: &[Storage, Target],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (objects, target) = (world.objects()?, world.target()?);
                let mut context = segment_restorer::Context::new(objects, target, world.clock(), world.instance);
                context.pushing = world.ports.pushing.clone();
                context.store = world.store();
                Some(Arc::new(context))
            },
            triggers: &[Trigger::Schedule(drills)],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| segment_restorer::answer(input, &context).await))
            },
        }),
        Row::from(Function {
            name: schema_archiver::NAME,
            about: "A schema registry to the storage, and back",
            needs: &[Storage],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (objects, store, clock) = (world.objects()?, world.store(), world.clock());
                let (source, target) = (world.ports.registries.source.clone(), world.ports.registries.target.clone());
                let name = &world.ports.registries.name;
                let mut context = schema_archiver::Context::new(objects, source, target, name, store, clock);
                context.pushing = world.ports.pushing.clone();
                Some(Arc::new(context))
            },
            triggers: &[Trigger::Schedule(|settings| {
                let every = settings.schema_registry.iter().map(|registry| registry.every.0);
                every.map(|every| Schedule { payload: json!({ "backup": {} }), every }).collect()
            })],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| schema_archiver::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: backup_verifier::NAME,
            about: "Backups against themselves, Kafka and the figures",
            needs: &[Storage],
            asks: &[Kafka, Redis],
            invokes: &[],
            context: |world| {
                let (objects, kafka, store) = (world.objects()?, world.kafka(), world.store());
                let settings = Some(world.settings);
                let context =
                    backup_verifier::Context::new(settings, objects, kafka, store, world.clock(), world.instance);
                Some(Arc::new(context))
            },
            triggers: &[Trigger::Schedule(verifications)],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| backup_verifier::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: cluster_archiver::NAME,
            about: "Offsets of consumer groups to the backups",
            needs: &[Kafka, Storage],
            asks: &[Redis],
            invokes: &[],
            context: |world| {
                let (kafka, objects, store) = (world.kafka()?, world.objects()?, world.store());
                let context = cluster_archiver::Context::new(world.settings, kafka, objects, store, world.clock());
                Some(Arc::new(context))
            },
            triggers: &[Trigger::Schedule(|_| vec![Schedule { payload: json!({}), every: GROUPS_EVERY }])],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| cluster_archiver::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: lag_monitor::NAME,
            about: "Log ends, new topics, figures healed",
            needs: &[Kafka, Storage, Redis],
            asks: &[],
            invokes: &[],
            context: |world| {
                let (kafka, objects, store) = (world.kafka()?, world.objects()?, world.store()?);
                Some(Arc::new(lag_monitor::Context::new(world.settings, kafka, objects, store, world.clock())))
            },
            triggers: &[Trigger::Schedule(|settings| vec![Schedule { payload: json!({}), every: refresh(settings) }])],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| lag_monitor::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: metrics_consumer::NAME,
            about: "The metrics topic to folded increments",
            needs: &[Kafka],
            asks: &[Redis],
            invokes: &[metrics_aggregator::NAME],
            context: |world| {
                let (kafka, invoker, store) = (world.kafka()?, world.invoker.clone(), world.store());
                Some(Arc::new(metrics_consumer::Context::of(world.settings, kafka, invoker, store, world.clock())))
            },
            triggers: &[Poller(
                |context, stop| Box::pin(async move { metrics_consumer::follow(&context, &stop).await }),
                often,
            )],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |input| metrics_consumer::handle(input, &context).await))
            },
        }),
        Row::from(Function {
            name: metrics_aggregator::NAME,
            about: "Increments to Redis",
            needs: &[Redis],
            asks: &[],
            invokes: &[],
            context: |world| Some(Arc::new(metrics_aggregator::Context { store: world.store()? })),
            triggers: &[],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |part| metrics_aggregator::handle(part, &context).await))
            },
        }),
        Row::from(Function {
            name: metrics_query::NAME,
            about: "Questions about figures",
            needs: &[Redis],
            asks: &[],
            invokes: &[],
            context: |world| Some(Arc::new(metrics_query::Context::new(world.settings, world.store()?, world.clock()))),
            triggers: &[
                Http(Port::Metrics, "", |request, context| {
                    Box::pin(async move { metrics_query::handle_exposition(request, &context).await })
                }),
                Http(Port::Query, "", |request, context| {
                    Box::pin(async move { metrics_query::handle(request, &context).await })
                }),
                Http(Port::Console, metrics_query::FIGURES, |request, context| {
                    Box::pin(async move { metrics_query::handle(request, &context).await })
                }),
            ],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |event| metrics_query::handle_event(event, &context).await))
            },
        }),
        Row::from(Function {
            name: backup_control::NAME,
            about: "Backups and topics paused and resumed",
            needs: &[Storage],
            asks: &[],
            invokes: &[],
            context: |world| {
                Some(Arc::new(backup_control::Context::new(world.settings, world.objects()?, world.clock())))
            },
            triggers: &[
                Http(Port::Query, backup_control::PREFIX, control),
                Http(Port::Console, backup_control::PREFIX, control),
                Http(Port::Query, backup_control::REPLICATION_PREFIXES[0], control),
                Http(Port::Console, backup_control::REPLICATION_PREFIXES[0], control),
                Http(Port::Query, backup_control::REPLICATION_PREFIXES[1], control),
            ],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |event| backup_control::handle_event(event, &context).await))
            },
        }),
        Row::from(Function {
            name: segment_browser::NAME,
            about: "Segments and their first records, for people",
            needs: &[Storage],
            asks: &[],
            invokes: &[],
            context: |world| Some(Arc::new(segment_browser::Context::new(world.settings, world.objects()?))),
            triggers: &[
                Http(Port::Query, segment_browser::PREFIX, |request, context| {
                    Box::pin(async move { segment_browser::handle(request, &context).await })
                }),
                Http(Port::Console, segment_browser::PREFIX, |request, context| {
                    Box::pin(async move { segment_browser::handle(request, &context).await })
                }),
            ],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |event| segment_browser::handle_event(event, &context).await))
            },
        }),
        Row::from(Function {
            name: metrics_gateway::NAME,
            about: "Pushed progress to the metrics topic",
            needs: &[Kafka],
            asks: &[],
            invokes: &[],
            context: |world| {
                Some(Arc::new(metrics_gateway::Context::new(world.settings, world.kafka()?, world.clock())))
            },
            triggers: &[Http(Port::Gateway, "", |request, context| {
                Box::pin(async move { metrics_gateway::handle(request, &context).await })
            })],
            handler: |payload, context| {
                Box::pin(answer(payload, async move |event| metrics_gateway::handle_event(event, &context).await))
            },
        }),
        Row::from(Function {
            name: web_console::NAME,
            about: "The page that shows all of it",
            needs: &[],
            asks: &[],
            invokes: &[],
            context: |_| Some(Arc::new(())),
            triggers: &[Http(Port::Console, "", |request, _| Box::pin(async move { web_console::handle(&request) }))],
            handler: |payload, _| Box::pin(answer(payload, async move |event| web_console::handle_event(event).await)),
        }),
    ]
});

fn control(request: HttpRequest, context: Arc<backup_control::Context>) -> BoxFuture<'static, HttpResponse> {
    Box::pin(async move { backup_control::handle(request, &context).await })
}

/// The row of the function with this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// Each backup with a retention is looked at as often as its retention says.
fn expiries(settings: &Settings) -> Vec<Schedule> {
    let every = |backup: &BackupSettings| backup.retention.map(|retention| retention.check_every.0);
    let with_retention = settings.backups.iter().filter_map(|(name, backup)| Some((name, every(backup)?)));
    with_retention.map(|(name, every)| Schedule { payload: json!({ "backup": name.as_str() }), every }).collect()
}

/// Each backup with a section `verify` is verified as often as that says.
fn verifications(settings: &Settings) -> Vec<Schedule> {
    let scheduled = settings.backups.iter().filter_map(|(name, backup)| Some((name, backup.verify?)));
    let schedule = |(name, verify): (&BackupName, VerifySettings)| Schedule {
        payload: json!({ "backup": name.as_str(), "deep": verify.deep }),
        every: verify.every.0,
    };
    scheduled.map(schedule).collect()
}

/// How often it is looked whether a drill is due.
const DRILL_LOOK_EVERY: Duration = Duration::from_secs(60);

/// Each backup with a section `drill` is drilled as often as that says, by whichever instance looks first. Where there is no
/// store of figures nobody knows of the others, and each instance drills for itself.
fn drills(settings: &Settings) -> Vec<Schedule> {
    let scheduled = settings.backups.iter().filter_map(|(name, backup)| Some((name, backup.drill?)));
    let schedule = |(name, drill): (&BackupName, DrillSettings)| {
        let (every, within_ms) = match settings.redis {
            Some(_) => (drill.every.0.min(DRILL_LOOK_EVERY), u64::try_from(drill.every.0.as_millis()).ok()),
            None => (drill.every.0, None),
        };
        let drill = json!({ "backup": name.as_str(), "sample": drill.sample, "unless_within_ms": within_ms });
        Schedule { payload: json!({ "drill": drill }), every }
    };
    scheduled.map(schedule).collect()
}

/// Every backup, to the end of its topics' logs.
fn drains(settings: &Settings) -> Vec<Schedule> {
    let drain = |name: &BackupName| Schedule { payload: json!({ "backup": name.as_str() }), every: refresh(settings) };
    settings.backups.keys().map(drain).collect()
}

/// What has come since the last refresh.
fn often(settings: &Settings) -> Vec<Schedule> {
    vec![Schedule { payload: json!({}), every: refresh(settings) }]
}

fn refresh(settings: &Settings) -> Duration {
    Duration::from_secs(settings.metrics.refresh_s.into())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn every_crate_of_a_function_has_one_row_of_its_name() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().read_dir().unwrap();
        let crates = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let functions: BTreeSet<_> = crates.filter(|name| name != env!("CARGO_PKG_NAME")).collect();
        assert_eq!(TABLE.iter().map(|row| row.name.to_owned()).collect::<BTreeSet<_>>(), functions);
        assert_eq!(TABLE.len(), functions.len(), "a function has one row");
    }

    #[test]
    fn what_a_function_invokes_has_a_row() {
        let mut invoked = TABLE.iter().flat_map(|row| row.invokes).peekable();
        assert!(invoked.peek().is_some() && invoked.all(|name| row(name).is_some()));
    }

    #[test]
    fn every_function_with_a_schedule_tells_of_its_runs() {
        let scheduled = TABLE.iter().filter(|row| row.is_scheduled).map(|row| row.name);
        // Their drains are on a schedule on Lambda only.
        let drains = [segment_writer::NAME, metrics_consumer::NAME];
        let telling: BTreeSet<_> = scheduled.chain(drains).collect();
        assert_eq!(telling, BTreeSet::from(shared::metrics::runs::FUNCTIONS));
        let with_store =
            |name| row(name).unwrap().asks.iter().chain(row(name).unwrap().needs).any(|need| *need == Redis);
        assert!(telling.into_iter().all(with_store), "runs are counted in redis");
    }

    #[test]
    fn only_backups_with_a_retention_are_looked_at_for_what_has_expired() {
        let text = "[backups.a]\ntopics={include=[\"*\"]}\n[backups.b]\ntopics={include=[\"x\"]}\n\
                    retention={delete_after=\"30d\",check_every=\"5m\"}";
        let settings = shared::config::Draft::new(text, &Default::default()).unwrap().settings().unwrap();
        let expected = Schedule { payload: json!({"backup": "b"}), every: Duration::from_secs(300) };
        assert_eq!(expiries(&settings), [expected]);
    }

    #[test]
    fn only_backups_that_say_so_are_verified_by_themselves() {
        let text = "[backups.a]\ntopics={include=[\"*\"]}\n[backups.b]\ntopics={include=[\"x\"]}\n\
                    verify={every=\"1d\",deep=true}";
        let settings = shared::config::Draft::new(text, &Default::default()).unwrap().settings().unwrap();
        let payload = json!({"backup": "b", "deep": true});
        assert_eq!(verifications(&settings), [Schedule { payload, every: Duration::from_secs(86_400) }]);
    }

    #[test]
    fn only_backups_that_say_so_are_drilled_by_themselves() {
        let text = "[backups.a]\ntopics={include=[\"*\"]}\n[backups.b]\ntopics={include=[\"x\"]}\n\
                    drill={every=\"1d\",sample=true}";
        let settings = shared::config::Draft::new(text, &Default::default()).unwrap().settings().unwrap();
        let payload = json!({"drill": {"backup": "b", "sample": true, "unless_within_ms": null}});
        assert_eq!(drills(&settings), [Schedule { payload, every: Duration::from_secs(86_400) }]);
        let shared = format!("{text}\n[redis]\nurl=\"redis://127.0.0.1\"");
        let settings = shared::config::Draft::new(&shared, &Default::default()).unwrap().settings().unwrap();
        let payload = json!({"drill": {"backup": "b", "sample": true, "unless_within_ms": 86_400_000}});
        assert_eq!(drills(&settings), [Schedule { payload, every: DRILL_LOOK_EVERY }]);
    }
}
