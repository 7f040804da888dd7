//! The context by the settings.

use std::{sync::Arc, time::Duration};

use shared::{
    adapters::memory::{clock::ManualClock, kafka::MemoryKafka, objects::MemoryObjects, store::MemoryStore},
    config::Draft,
    record::Millis,
};

use crate::Context;

fn context(settings: &str) -> Context {
    let settings = Draft::new(settings, &Default::default()).unwrap().settings().unwrap();
    let clock = Arc::new(ManualClock::at(Millis(1)));
    let kafka = Arc::new(MemoryKafka::new(clock.clone(), 1));
    let (objects, store) = (Arc::new(MemoryObjects::new(clock.clone())), Arc::new(MemoryStore::new(clock.clone())));
    Context::new(&settings, kafka, objects, store, clock)
}

#[test]
fn it_watches_the_backups_that_are_configured_as_often_as_they_say() {
    let context = context(
        r#"
        [backups.main]
        topics = { include = ["*"], exclude = ["*-tmp"] }
        [backups.audit]
        topics = { include = ["__consumer_offsets"] }
        [metrics]
        topic = "figures"
        refresh_s = 60
        "#,
    );
    assert_eq!(context.limits.refresh, Duration::from_secs(60));
    assert_eq!(&*context.metrics_topic, "figures");
    let backup = |name: &str| context.backups.iter().find(|backup| &*backup.name == name).unwrap();
    let selects = |name: &str, topic: &str| context.selects(backup(name), topic);
    assert!(selects("main", "orders") && !selects("main", "orders-tmp"));
    assert!(!selects("main", "figures"), "a backup of the metrics topic would feed itself");
    assert!(selects("audit", "__consumer_offsets") && !selects("audit", "orders"));
}
