//! Records that a filter leaves out are counted, and their offsets belong to the chain.

use shared::{
    chain::Totals,
    segment::{SegmentMetadata, decoder},
};

use super::*;

impl World {
    /// Appends JSON records with these amounts.
    fn amounts(&self, amounts: impl IntoIterator<Item = i64>) {
        for amount in amounts {
            let value = format!(r#"{{"amount":{amount}}}"#);
            self.kafka.append(&orders(), Record { value: Some(value.into()), ..record(0) });
        }
    }

    async fn segments(&self) -> Vec<SegmentMetadata> {
        let mut segments = vec![];
        for object in self.objects.list(ListRequest::prefix("main/orders/1/0/")).await.unwrap().objects {
            let body = self.objects.get(&object.key, GetRange::Whole).await.unwrap().unwrap().body;
            segments.push(decoder::records(body).unwrap().0);
        }
        segments
    }

    /// Records, filtered, filter errors, and where the chain ends.
    async fn counted(&self) -> (u64, u64, u64, i64) {
        let segments = self.segments().await;
        let totals = segments.iter().fold(Totals::default(), |sum, segment| sum.plus(segment.own));
        let next = segments.last().map_or(0, |segment| segment.next.0);
        assert!(segments.windows(2).all(|pair| pair[0].next == pair[1].base), "{segments:#?}");
        (totals.records, totals.filtered, totals.filter_errors, next)
    }
}

fn orders_world() -> World {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world
}

const MORE_THAN_TEN: [(&str, &str); 1] = [("orders", "value.json.amount > 10")];

#[tokio::test(start_paused = true)]
async fn what_the_filter_leaves_out_is_counted_and_belongs_to_the_chain() {
    let world = orders_world();
    world.amounts([5, 20, 7, 30, 8]);
    assert!(world.drain_in(&world.context_with(&["main"], &MORE_THAN_TEN)).await.complete());
    assert_eq!(world.stored().await, [1, 3]);
    assert_eq!(world.counted().await, (2, 3, 0, 5));
    assert_eq!(world.kafka.committed_offsets("highwater.main", &[orders()]).await.unwrap(), [Some(Offset(5))]);
}

#[tokio::test(start_paused = true)]
async fn a_segment_may_keep_nothing() {
    let world = orders_world();
    world.amounts([1, 2, 3]);
    assert!(world.drain_in(&world.context_with(&["main"], &MORE_THAN_TEN)).await.complete());
    assert_eq!(world.counted().await, (0, 3, 0, 3));
    assert_eq!(world.segments().await[0].timestamps, None);
    world.amounts([4, 40]);
    assert!(world.drain_in(&world.context_with(&["main"], &MORE_THAN_TEN)).await.complete());
    assert_eq!((world.stored().await, world.counted().await), (vec![4], (1, 4, 0, 5)));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_filter_cannot_judge_is_kept_and_counted() {
    let world = orders_world();
    world.append(2); // no JSON
    world.amounts([1, 11]);
    assert!(world.drain_in(&world.context_with(&["main"], &MORE_THAN_TEN)).await.complete());
    assert_eq!((world.stored().await, world.counted().await), (vec![0, 1, 3], (3, 1, 2, 4)));
}

#[tokio::test(start_paused = true)]
async fn the_first_filter_that_matches_a_topic_decides_and_other_topics_are_kept_whole() {
    let world = orders_world();
    world.amounts([5, 20]);
    let filters = [("payments", "false"), ("/ord.*/", "offset != 1"), ("*", "false")];
    assert!(world.drain_in(&world.context_with(&["main"], &filters)).await.complete());
    assert_eq!(world.stored().await, [0]);
    world.amounts([5]);
    assert!(world.drain_in(&world.context_with(&["main"], &[("payments", "false")])).await.complete());
    assert_eq!((world.stored().await, world.counted().await), (vec![0, 2], (2, 1, 0, 3)));
}

#[tokio::test(start_paused = true)]
async fn a_filter_may_change_between_runs_and_judges_only_what_is_new() {
    let world = orders_world();
    world.amounts([5, 20]);
    assert!(world.drain_in(&world.context_with(&["main"], &MORE_THAN_TEN)).await.complete());
    world.amounts([6, 21]);
    assert!(world.drain_in(&world.context_with(&["main"], &[("*", "value.json.amount < 10")])).await.complete());
    assert_eq!((world.stored().await, world.counted().await), (vec![1, 2], (2, 2, 0, 4)));
}

#[tokio::test(start_paused = true)]
async fn size_counts_what_is_kept_and_each_left_out_record_is_counted_in_one_segment() {
    let world = orders_world();
    let filter = [("*", "offset % 3 == 0")];
    let context = world.context_with(&["main"], &filter);
    let large = Record { value: Some(vec![b'x'; 500 << 10].into()), ..record(0) };
    for _ in 0..12 {
        world.kafka.append(&orders(), large.clone());
    }
    assert!(world.drain_in(&context).await.complete());
    let own: Vec<_> =
        world.segments().await.iter().map(|s| (s.base.0, s.next.0, s.own.records, s.own.filtered)).collect();
    assert_eq!(own.iter().map(|(.., records, filtered)| records + filtered).sum::<u64>(), 12, "{own:?}");
    assert!(own.len() < 4, "two kept records of 500 kB fit a segment of 1 MiB: {own:?}");
    assert_eq!(world.stored().await, [0, 3, 6, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_range_before_a_filtered_record_is_declared_all_the_same() {
    let world = orders_world();
    world.amounts([20]);
    let context = world.context_with(&["main"], &MORE_THAN_TEN);
    assert!(world.drain_in(&context).await.complete());
    world.amounts([21, 22, 1]);
    world.kafka.trim(&orders(), Offset(3));
    assert!(world.drain_in(&context).await.complete());
    let segments = world.segments().await;
    let last = segments.last().unwrap();
    assert_eq!((last.gaps.len(), last.own.gap_offsets, last.own.filtered, last.next), (1, 2, 1, Offset(4)));
}
