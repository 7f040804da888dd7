//! Whether storage and metrics are what they must be.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{rngs::StdRng, seq::SliceRandom};
use shared::{
    adapters::memory::store::MemoryStore,
    archive::{self, SegmentEntry},
    chain::{ChainIdentity, Floor, Totals, keys},
    metrics::{
        registers::{self, epoch},
        standing,
    },
    ports::{
        objects::Objects,
        records::{Fetched, Log as _},
        store::Store,
    },
    record::{Offset, Partition, Record},
    segment::{ChainPoint, Gap},
};

use super::{
    meter,
    model::Log,
    questions::{self, Answer},
    unprotected::ForgetfulStore,
    world::{PARTITIONS, TOPICS, World},
};

/// What a chain holds from its floor on, or a part of that.
pub struct Stored {
    start: Offset,
    records: BTreeMap<Offset, Record>,
    filtered: u64,
    gaps: Vec<Gap>,
    pub next: Offset,
    pub point: ChainPoint,
    /// Segments below the floor.
    below: usize,
}

/// Every chain is whole, and holds exactly what was produced.
pub async fn storage(world: &World) -> Result<(), String> {
    for topic in TOPICS {
        let current = world.id(topic);
        for claim in text(archive::claims(&*world.stored, "main", topic).await)? {
            for chain in chains(world, topic, &claim).await? {
                let stored = read(&*world.stored, &chain)
                    .await
                    .map_err(|e| format!("{topic} {}-{}: {e}", claim.incarnation, chain.partition))?;
                let log = world.model().log(topic, &claim.topic_id, chain.partition).clone();
                compare_with_any(|offset| world.keeps(offset), &stored, &log, claim.topic_id == current)
                    .map_err(|e| format!("{topic} {}-{}: {e}", claim.incarnation, chain.partition))?;
            }
        }
        every_partition_is_there(world, topic).await?;
    }
    Ok(())
}

async fn every_partition_is_there(world: &World, topic: &str) -> Result<(), String> {
    let claims = text(archive::claims(&*world.stored, "main", topic).await)?;
    let current = world.id(topic);
    let claim =
        claims.iter().find(|claim| claim.topic_id == current).ok_or("the topic that is there now was never claimed")?;
    let there = chains(world, topic, claim).await?;
    for partition in (0..PARTITIONS).map(Partition) {
        let log = world.model().log(topic, &current, partition).clone();
        let due = log.visible.keys().any(|offset| *offset >= log.trimmed_to && !log.compacted.contains(offset));
        if due && !there.iter().any(|chain| chain.partition == partition) {
            return Err(format!("{topic}-{partition} has records and no chain"));
        }
    }
    Ok(())
}

async fn chains(world: &World, topic: &str, claim: &archive::Claim) -> Result<Vec<ChainIdentity>, String> {
    let cluster = text(world.kafka.cluster_id().await)?;
    text(archive::chains(&*world.stored, &cluster, "main", topic, claim).await)
}

/// Reads a chain from its floor on. Where there is a floor, something lies there.
async fn read(objects: &dyn Objects, chain: &ChainIdentity) -> Result<Stored, String> {
    let held = text(archive::read_floor(objects, chain).await)?;
    let floor = &held.floor;
    let stored = read_part(objects, chain, floor, Offset(i64::MAX)).await?;
    let accepted = text(archive::accepted_losses_behind(objects, chain, floor).await)?;
    if stored.next == floor.base && floor.base > Offset(0) && !accepted.excuse(&held) {
        return Err(format!("the floor is at {} and nothing lies there", floor.base));
    }
    Ok(stored)
}

/// Reads the segments from a floor on and before `to`, and checks that each goes on where the one before it ended.
pub async fn read_part(
    objects: &dyn Objects,
    chain: &ChainIdentity,
    floor: &Floor,
    to: Offset,
) -> Result<Stored, String> {
    let folder = keys::chain_folder(chain);
    let (entries, _) = text(archive::chain_objects(objects, chain, "").await)?;
    let mut stored = Stored {
        start: floor.base,
        records: BTreeMap::new(),
        filtered: 0,
        gaps: vec![],
        next: floor.base,
        point: floor.before,
        below: 0,
    };
    let cuts = text(archive::read_accepted_losses(objects, chain).await)?.cuts();
    let segments = entries.iter().filter_map(|entry| SegmentEntry::of(&folder, entry));
    for segment in segments.filter(|it| it.base < to && !it.is_superseded(&cuts)) {
        if segment.base < floor.base {
            stored.below += 1;
            continue;
        }
        let reader = text(archive::read_segment(objects, &segment.key).await)?;
        let metadata = reader.metadata().clone();
        if metadata.base != stored.next || segment.base != stored.next {
            return Err(format!("segment {} follows {}", segment.base, stored.next));
        }
        if metadata.before != stored.point {
            return Err(format!("segment {} says another past than the chain has", segment.base));
        }
        for record in reader.row_groups().flat_map(|group| group.expect("a row group is readable")) {
            if record.offset < metadata.base || record.offset >= metadata.next {
                return Err(format!("record {} is outside of its segment", record.offset));
            }
            if stored.records.insert(record.offset, record.clone()).is_some() {
                return Err(format!("record {} is there twice", record.offset));
            }
        }
        stored.filtered += metadata.own.filtered;
        stored.gaps.extend(metadata.gaps.iter().cloned());
        stored.next = metadata.next;
        stored.point = metadata.after(segment.size_bytes);
    }
    let digest = floor.before.digest.after_all(stored.records.values());
    if digest != stored.point.digest {
        return Err("the chain digest is not that of its records".to_owned());
    }
    Ok(stored)
}

/// A chain is the backup of its log as it is now, or of what that was before it went back, never of both.
pub fn compare_with_any(
    keeps: impl Fn(Offset) -> bool,
    stored: &Stored,
    log: &Log,
    is_current: bool,
) -> Result<(), String> {
    let compared = compare(&keeps, stored, log, is_current);
    let is_of_before = log.before.iter().any(|before| compare(&keeps, stored, before, false).is_ok());
    if is_of_before { Ok(()) } else { compared }
}

fn compare(keeps: impl Fn(Offset) -> bool, stored: &Stored, log: &Log, is_current: bool) -> Result<(), String> {
    for (offset, record) in &stored.records {
        match log.visible.get(offset) {
            Some(_) if !keeps(*offset) => return Err(format!("record {offset} is stored against the filter")),
            Some(produced) if produced == record => {}
            Some(_) => return Err(format!("record {offset} is stored otherwise than it was produced")),
            None => return Err(format!("record {offset} was never produced, or never committed")),
        }
    }
    if let Some(gap) = stored.gaps.iter().find(|gap| gap.to > log.trimmed_to) {
        return Err(format!("gap {}-{} is declared where kafka lost nothing", gap.from, gap.to));
    }
    let in_gap = |offset: Offset| stored.gaps.iter().any(|gap| (gap.from..gap.to).contains(&offset));
    let due = |offset: Offset| match is_current {
        // What retention took before anything behind it was stored is declared with the next record.
        true => offset < stored.next || offset >= log.trimmed_to,
        false => offset < stored.next,
    };
    for offset in log.visible.range(stored.start..).map(|(offset, _)| offset).filter(|it| due(**it) && keeps(**it)) {
        if !stored.records.contains_key(offset) && !log.compacted.contains(offset) && !in_gap(*offset) {
            return Err(format!("record {offset} is lost (frontier {})", stored.next));
        }
    }
    // What was compacted or lost may have been read before.
    let left_out: Vec<Offset> =
        log.visible.range(stored.start..stored.next).map(|(at, _)| *at).filter(|at| !keeps(*at)).collect();
    let surely = left_out.iter().filter(|offset| !log.compacted.contains(offset) && !in_gap(**offset)).count() as u64;
    let filtered = stored.filtered;
    if filtered < surely || filtered > left_out.len() as u64 {
        return Err(format!("{filtered} records are counted as filtered, not {surely} to {}", left_out.len()));
    }
    Ok(())
}

/// The standings, delivered twice and in any order, agree with the storage, if Kafka still has them all.
pub async fn standings(world: &World, rng: &mut StdRng) -> Result<(), String> {
    if meter::log_starts(world).await.values().any(|start| start.0 > 0) {
        return Ok(());
    }
    let mut messages = published(world).await?;
    messages.extend(messages.clone());
    messages.shuffle(rng);
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(world.clock.clone()));
    let store = if world.guards.registers { memory } else { Arc::new(ForgetfulStore::new(memory)) };
    for message in messages {
        let operations = registers::of_message(&message).map_err(|e| format!("a standing of ours is refused: {e}"))?;
        text(store.apply(&[], &operations).await)?;
    }
    let backups = [Arc::from("main")];
    let answers = text(store.read(&epoch::queries(&backups)).await)?;
    let snapshot = epoch::snapshots(&backups, answers).remove(0);
    for topic in TOPICS {
        for claim in text(archive::claims(&*world.stored, "main", topic).await)? {
            for chain in chains(world, topic, &claim).await? {
                if claim.topic_id != world.id(topic) {
                    continue;
                }
                let stored = read(&*world.stored, &chain).await?;
                let shown = snapshot
                    .registers
                    .topics
                    .get(topic)
                    .and_then(|t| t.chains.get(&(claim.incarnation, chain.partition)));
                let head = shown
                    .and_then(|chain| chain.head)
                    .ok_or_else(|| format!("{topic}-{}: no head is shown", chain.partition))?;
                if (head.next, head.totals, head.digest) != (stored.next, stored.point.totals, stored.point.digest) {
                    return Err(format!(
                        "{topic}-{}: the meter shows {}, the storage has {}",
                        chain.partition, head.next, stored.next
                    ));
                }
            }
        }
    }
    Ok(())
}

async fn published(world: &World) -> Result<Vec<serde_json::Value>, String> {
    let starts: Vec<_> = meter::partitions().map(|partition| (partition, Offset(0))).collect();
    let mut fetch = text(world.kafka.fetch(&starts).await)?;
    let (mut messages, mut ended) = (vec![], 0);
    while ended < starts.len() {
        for fetched in text(fetch.next(Duration::from_secs(1)).await)? {
            match fetched {
                Fetched::Records { records, .. } => {
                    messages.extend(records.into_iter().filter_map(|record| record.value))
                }
                Fetched::End { .. } => ended += 1,
                other => return Err(format!("the metrics topic answers {other:?}")),
            }
        }
    }
    let messages: Result<Vec<serde_json::Value>, _> =
        messages.iter().map(|bytes| serde_json::from_slice(bytes)).collect();
    let mut messages = messages.map_err(|e| format!("not JSON: {e}"))?;
    messages.retain(|message| message["extension"] == standing::EXTENSION);
    Ok(messages)
}

/// What metrics-query answers agrees with the storage, and with all that Kafka has of changes.
pub async fn meter(world: &World) -> Result<(), String> {
    let Answer { page: Some(page), changes: true } = questions::answer(world).await? else {
        return Err("questions are answered with errors after two refreshes".to_owned());
    };
    all_is_counted(world).await?;
    let mut expected = BTreeMap::new();
    for topic in TOPICS {
        let durable = questions::durable(world, topic).await?;
        expected.extend(questions::series_of_totals(topic, &durable.totals));
        expected.extend(questions::series_of_present(topic, &durable.present));
        for (partition, last) in last_offsets(world, topic).await? {
            expected
                .insert(format!("backup_sink_offset{{topic=\"{topic}\",partition=\"{partition}\"}}"), last.0 as f64);
        }
    }
    let is_known = |topic: &str| page.keys().any(|series| series.contains(&format!("\"{topic}\"")));
    for (series, figure) in expected {
        let shown = page.get(&series).copied();
        let topic = series.split('"').nth(1).unwrap_or_default();
        if shown != Some(figure) && (figure != 0.0 || is_known(topic)) {
            return Err(format!("the meter shows {shown:?} for {series}, the storage has {figure}"));
        }
    }
    Ok(())
}

/// Each partition of the metrics topic is counted to its end.
async fn all_is_counted(world: &World) -> Result<(), String> {
    let counted = meter::positions(world).await;
    for (partition, bounds) in meter::bounds(world).await {
        let position = counted.get(&partition).copied();
        if position != Some(bounds.stable_end) && bounds.start < bounds.stable_end {
            return Err(format!(
                "metrics partition {partition} is counted to {position:?}, it ends at {}",
                bounds.stable_end
            ));
        }
    }
    Ok(())
}

/// The last stored offset of each partition of the topic that is there now.
async fn last_offsets(world: &World, topic: &str) -> Result<BTreeMap<Partition, Offset>, String> {
    let mut last = BTreeMap::new();
    for end in questions::chain_ends(world, topic).await? {
        if end.chain.topic_id == world.id(topic) && end.point.totals != Totals::default() {
            last.insert(end.chain.partition, Offset(end.next.0 - 1));
        }
    }
    Ok(last)
}

/// When nobody holds anything and the grace is over, nothing lies below a floor.
pub async fn swept(world: &World) -> Result<(), String> {
    for topic in TOPICS {
        for claim in text(archive::claims(&*world.stored, "main", topic).await)? {
            for chain in chains(world, topic, &claim).await? {
                let stored = read(&*world.stored, &chain).await?;
                if stored.below > 0 {
                    let place = format!("{topic} {}-{}", claim.incarnation, chain.partition);
                    return Err(format!("{place}: {} segments lie below the floor for ever", stored.below));
                }
            }
        }
    }
    Ok(())
}

/// After a drain that ends here every topic is done, to the last record.
pub async fn finished(world: &World) -> Result<(), String> {
    let Answer { page: Some(page), .. } = questions::answer(world).await? else {
        return Err("the page is an error right after it was none".to_owned());
    };
    let wrong = page.iter().find(|(series, figure)| match series.split('{').next() {
        Some("backup_topic_progress" | "backup_topic_partition_progress") => **figure != 1.0,
        Some("backup_state") => **figure != 800.0,
        Some("highwater_job_stale") => **figure != 0.0,
        _ => false,
    });
    let Some((series, figure)) = wrong else { return Ok(()) };
    let topic = series.split('"').nth(1).unwrap_or_default();
    let backups = [Arc::from("main")];
    let answers = text(world.store.read(&epoch::queries(&backups)).await)?;
    let known = epoch::snapshots(&backups, answers).remove(0).registers.topics.remove(topic);
    Err(format!("all is stored, and {series} is {figure}: {known:?}"))
}

fn text<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
