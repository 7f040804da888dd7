//! Writers that opened a chain before its tail went missing and that was accepted, and wake behind that.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use shared::ports::objects::{ETag, ListPage, Object, Objects, ObjectsError, PutCondition};

use super::*;
use crate::{open::open, report::Reporter, writer::PartitionWriter};

/// A storage whose listings fail from the moment on in which a segment was put: who puts it dies there.
struct Deadly {
    objects: Arc<MemoryObjects>,
    is_dead: AtomicBool,
}

#[async_trait]
impl Objects for Deadly {
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, ObjectsError> {
        self.is_dead.fetch_or(key.ends_with(".kan"), Ordering::SeqCst);
        self.objects.put(key, body, condition).await
    }

    async fn get(&self, key: &str, range: GetRange) -> Result<Option<Object>, ObjectsError> {
        self.objects.get(key, range).await
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<ListPage, ObjectsError> {
        if self.is_dead.load(Ordering::SeqCst) {
            let (operation, key) = ("list", request.prefix.to_owned());
            return Err(ObjectsError::Unavailable { operation, key, endpoint: "here".into(), source: "dead".into() });
        }
        self.objects.list(request).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectsError> {
        self.objects.delete(key).await
    }
}

/// A writer with records in its hands, that sleeps.
struct Zombie {
    context: Arc<Context>,
    writer: PartitionWriter,
}

impl Zombie {
    /// It has opened the chain and read what is behind it.
    async fn of(context: Arc<Context>, world: &World, count: i64) -> Self {
        let backup = context.backups[0].clone();
        let open = open(&context, &backup, &orders()).await.unwrap().open;
        let mut writer = PartitionWriter::new(&context, &backup, open);
        world.append(usize::try_from(count).unwrap());
        let from = writer.position().0;
        let mut reporter = Reporter::new(Millis(0));
        writer.append((from..from + count).map(record).collect(), None, &mut reporter).await.unwrap();
        Zombie { context, writer }
    }

    /// It wakes and stores them.
    async fn wake(&mut self) -> WriteError {
        let mut reporter = Reporter::new(self.context.clock.now());
        self.writer.seal(&mut reporter).await.unwrap_err()
    }
}

/// A chain [0, 10), [10, 15), a zombie with [15, 18), and then the second segment is gone.
async fn with_a_zombie(world: &mut World, is_deadly: bool) -> Zombie {
    world.kafka.create("orders", 1, &[]);
    for count in [10, 5] {
        world.append(count);
        assert!(world.drain().await.complete());
    }
    if is_deadly {
        world.met = Some(Arc::new(Deadly { objects: world.objects.clone(), is_dead: AtomicBool::new(false) }));
    }
    let zombie = Zombie::of(world.context(&["main"]), world, 3).await;
    world.met = None;
    world.objects.delete("main/orders/1/0/00000000000000000010.kan").await.unwrap();
    zombie
}

async fn keys(world: &World) -> Vec<String> {
    let listed = world.objects.list(ListRequest::prefix("main/orders/1/0/")).await.unwrap();
    let names = listed.objects.into_iter().map(|entry| entry.key.rsplit_once('/').unwrap().1.to_owned());
    names.filter(|name| name.ends_with(".kan")).map(|name| name.trim_start_matches('0').to_owned()).collect()
}

async fn committed(world: &World) -> Option<Offset> {
    world.kafka.committed_offsets("highwater.main", &[orders()]).await.unwrap()[0]
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_wakes_behind_an_accepted_loss_stores_nothing_twice() {
    let mut world = World::new();
    let mut zombie = with_a_zombie(&mut world, false).await;
    accept_the_loss(&world).await;
    assert!(world.drain().await.complete());
    assert_eq!(committed(&world).await, Some(Offset(18)));
    let error = zombie.wake().await;
    assert!(matches!(error, WriteError::LostRace { base: Offset(15), .. }), "{error}");
    world.append(2);
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..20).collect::<Vec<_>>());
    assert_eq!(keys(&world).await, [".kan", "10-1.kan", "18-1.kan"]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_wakes_before_anybody_goes_on_is_not_taken_for_the_end_of_the_chain() {
    let mut world = World::new();
    let mut zombie = with_a_zombie(&mut world, false).await;
    accept_the_loss(&world).await;
    zombie.wake().await;
    assert_eq!(committed(&world).await, Some(Offset(15)), "what it stored is acknowledged by nobody");
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..18).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_superseded_segment_whose_writer_died_is_passed_over_and_deleted_by_the_next() {
    for goes_on_first in [false, true] {
        let mut world = World::new();
        let mut zombie = with_a_zombie(&mut world, true).await;
        accept_the_loss(&world).await;
        let writer = world.context(&["main"]);
        if goes_on_first {
            // As far as 13: the superseded segment will lie in the middle.
            world.kafka.trim(&orders(), Offset(12));
            let event = Event { arrived: vec![arrived(12..13)], ..Event::default() };
            handle(Input::Event(event), &writer).await.unwrap();
        }
        let error = zombie.wake().await;
        assert!(error.retry() && !matches!(error, WriteError::LostRace { .. }), "{error}");
        assert!(keys(&world).await.contains(&"15.kan".to_owned()));
        let end = archive::chain_end(&*world.objects, &zombie.writer.open_chain().chain, None).await.unwrap();
        assert_eq!(end.frontier.next, Offset(if goes_on_first { 13 } else { 10 }));
        assert!(world.drain_in(&writer).await.complete());
        assert!(!keys(&world).await.contains(&"15.kan".to_owned()));
        let lost = if goes_on_first { 10..12 } else { 0..0 };
        assert_eq!(world.stored().await, (0..18).filter(|offset| !lost.contains(offset)).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_as_far_as_the_storage_and_wakes_behind_an_acceptance_begins_anew() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    world.append(10);
    assert!(world.drain().await.complete());
    let mut zombie = Zombie::of(world.context(&["main"]), &world, 3).await;
    world.append(2);
    assert!(world.drain().await.complete());
    world.objects.delete("main/orders/1/0/00000000000000000010.kan").await.unwrap();
    accept_the_loss(&world).await;
    let error = zombie.wake().await;
    assert!(matches!(error, WriteError::LostRace { base: Offset(10), .. }), "{error}");
    assert_eq!(keys(&world).await, [".kan"], "another writer may have gone on there");
    assert!(world.drain().await.complete());
    assert_eq!(world.stored().await, (0..15).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_somebody_began_to_accept_is_missing_until_it_is_decided_whoever_stored_meanwhile() {
    let mut world = World::new();
    let mut zombie = with_a_zombie(&mut world, false).await;
    let context = world.context(&["main"]);
    let missing = async || missing_tails(&context, &context.backups[0], &[orders()]).await.unwrap();
    let tail = missing().await.remove(0);
    let begun = AcceptedLoss { cut: Some(Cut::Proposed), ..AcceptedLoss::new(tail.frontier, tail.witness, Millis(1)) };
    archive::note_loss(&*world.objects, &tail.chain, AcceptedLosses::default(), begun, None).await.unwrap();
    zombie.wake().await;
    assert_eq!(keys(&world).await, [".kan", "15.kan"]);
    let begun = missing().await.remove(0);
    assert_eq!((begun.frontier, begun.witness), (tail.frontier, tail.witness));
    accept(&context, &begun).await.unwrap();
    let known = archive::read_accepted_losses(&*world.objects, &tail.chain).await.unwrap();
    assert_eq!(known.losses.iter().map(|loss| loss.cut).collect::<Vec<_>>(), [Some(Cut::Made)]);
    assert_eq!(missing().await, []);
    assert!(world.drain().await.complete());
    assert_eq!((keys(&world).await, world.stored().await), (vec![".kan".into(), "10-1.kan".into()], (0..18).collect()));
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_ends_below_its_cut_has_lost_its_tail_again_whatever_was_committed() {
    let mut world = World::new();
    with_a_zombie(&mut world, false).await;
    accept_the_loss(&world).await;
    world.objects.delete("main/orders/1/0/00000000000000000000.kan").await.unwrap();
    world.kafka.commit("highwater.main", &[(orders(), Offset(0).into())]).await.unwrap();
    let report = world.drain().await;
    let error = report.partitions[0].error.as_ref().unwrap();
    assert!(matches!(error, WriteError::TailMissing { frontier: Offset(0), committed: Offset(10), .. }), "{error}");
    accept_the_loss(&world).await;
    assert!(world.drain().await.complete());
    assert_eq!((keys(&world).await, world.stored().await), (vec!["-2.kan".to_owned()], (0..18).collect()));
}

#[tokio::test(start_paused = true)]
async fn segments_that_somebody_without_the_key_cut_off_are_not_touched() {
    let world = World::new();
    world.kafka.create("orders", 1, &[]);
    let context = world.context_with_key("the key");
    for count in [10, 5] {
        world.append(count);
        assert!(world.drain_in(&context).await.complete());
    }
    let chain = open(&context, &context.backups[0], &orders()).await.unwrap().open.chain;
    let loss = AcceptedLoss { cut: Some(Cut::Made), ..AcceptedLoss::new(Offset(10), Offset(15), Millis(1)) };
    archive::note_loss(&*world.objects, &chain, AcceptedLosses::default(), loss, None).await.unwrap();
    world.clock.advance(Millis(900_000));
    let report = world.drain_in(&context).await;
    let error = report.partitions[0].error.as_ref().unwrap();
    assert!(matches!(error, WriteError::CutWithoutKey { .. } | WriteError::TailMissing { .. }), "{error}");
    world.kafka.commit("highwater.main", &[(orders(), Offset(10).into())]).await.unwrap();
    let report = world.drain_in(&context).await;
    let error = report.partitions[0].error.as_ref().unwrap();
    assert!(matches!(error, WriteError::CutWithoutKey { .. }), "{error}");
    assert_eq!(world.stored().await, (0..15).collect::<Vec<_>>());
}
