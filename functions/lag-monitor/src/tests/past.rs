//! What is noted for the last day and month.

use shared::{
    metrics::{
        backbeat::keys::{Pending, pending},
        history::{Point, Series, Span},
    },
    ports::store::{Store as _, Value},
    record::{Millis, Partition},
};

use super::world::World;

const STEP: Millis = Millis(5 * 60 * 1_000);

async fn points(world: &World, series: Series<'_>, span: Span) -> Vec<Point> {
    match &world.store.read(&[series.query(span)]).await.unwrap()[..] {
        [Value::Registers(held)] => series.points(span, held),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn topics_partitions_and_locations_are_noted_once_a_step() {
    let mut world = World::new();
    world.kafka.create("orders", 2, &[]);
    world.append("orders", 1, 7);
    world.later_refresh().await;
    world.drain().await;
    world.carry().await;
    world.store.set(&pending("site1", Pending::Ops), "3");
    for _ in 0..2 {
        world.clock.advance(STEP);
        for _ in 0..3 {
            world.refresh().await;
        }
    }
    let partition = |number| Series::Partition("main", "orders", Partition(number));
    for (series, records) in [(Series::Topic("main", "orders"), 7), (partition(0), 0), (partition(1), 7)] {
        let noted = points(&world, series, Span::Day).await;
        let last = noted.last().unwrap();
        assert_eq!(last.values.counts[0], Some(records), "{series:?}");
        assert_eq!(noted[noted.len() - 2].at.0 + STEP.0, last.at.0, "a point a step: {noted:?}");
        assert_eq!(points(&world, series, Span::Month).await.len(), 1, "{series:?}");
    }
    let location = points(&world, Series::Location("site1"), Span::Day).await;
    assert_eq!(location.last().unwrap().values.gauges[1], Some(3.0));
}

#[tokio::test]
async fn of_a_topic_that_was_deleted_nothing_is_left() {
    let mut world = World::new();
    world.kafka.create("orders", 2, &[]);
    world.later_refresh().await;
    world.clock.advance(STEP);
    world.later_refresh().await;
    let all = [Series::Topic("main", "orders"), Series::Partition("main", "orders", Partition(1))];
    for series in all {
        assert!(!points(&world, series, Span::Day).await.is_empty(), "{series:?}");
    }
    world.kafka.delete("orders");
    for _ in 0..4 {
        world.later_refresh().await;
    }
    for (series, span) in all.into_iter().flat_map(|series| Span::ALL.map(|span| (series, span))) {
        assert_eq!(points(&world, series, span).await, [], "{series:?}");
    }
}
