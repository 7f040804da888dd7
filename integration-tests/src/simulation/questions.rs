//! Questions to metrics-query at any moment. Every answer is an error, or right: changes to the last message that is
//! counted, and never back behind what was shown before; records never above what the storage holds, and never less than
//! was shown before.

use std::{collections::BTreeMap, sync::Arc};

use metrics_query::{Context, HttpRequest, HttpResponse};
use serde_json::Value;
use shared::{
    archive::{self, SegmentEntry},
    chain::{ChainIdentity, Totals, keys},
    metrics::{backbeat::keys::Windows, keys::rejected},
    ports::{
        clock::Clock as _,
        records::Log as _,
        store::{Query, Store, Value as Held},
    },
    record::Offset,
    segment::ChainPoint,
};

use super::{
    changes::{Count, Counted, Figures, LOCATIONS},
    meter,
    unprotected::AlwaysWholeStore,
    world::{TOPICS, World},
};

/// What was answered.
pub struct Answer {
    /// The page of figures by series, if it was one.
    pub page: Option<BTreeMap<String, f64>>,
    /// Whether Backbeat's routes answered.
    pub changes: bool,
}

/// Asks everything once, and keeps the first wrong answer.
pub async fn ask(world: &World) {
    let answer = answer(world).await;
    let mut meter = world.meter();
    match answer {
        Ok(answer) if answer.changes || answer.page.is_some() => meter.answers.0 += 1,
        Ok(_) => meter.answers.1 += 1,
        Err(violation) => {
            meter.violation.get_or_insert(violation);
        }
    }
}

/// Whether all answers so far were right.
pub fn verdict(world: &World) -> Result<(), String> {
    world.meter().violation.clone().map_or(Ok(()), Err)
}

/// Asks everything once. Nothing else happens in the world meanwhile.
pub async fn answer(world: &World) -> Result<Answer, String> {
    let store: Arc<dyn Store> =
        if world.guards.epochs { world.store.clone() } else { Arc::new(AlwaysWholeStore(world.store.clone())) };
    let context = Context {
        store,
        clock: world.clock.clone(),
        backups: vec!["main".into()],
        locations: LOCATIONS.map(str::to_owned).to_vec(),
        windows: Windows::default(),
        counts_changes: true,
        partition_series_max: 1_000,
        expected: Default::default(),
        guard: Default::default(),
    };
    let changes = changes(world, &context).await?;
    let response = metrics_query::handle_exposition(get("/metrics"), &context).await;
    let page = if is_right(&response)? { Some(page(&response)?) } else { None };
    if let Some(page) = &page {
        check_page(world, page).await?;
    }
    Ok(Answer { page, changes })
}

fn get(target: &str) -> HttpRequest {
    HttpRequest { method: "GET".into(), target: target.into(), ..HttpRequest::default() }
}

/// An error must be one that says why.
fn is_right(response: &HttpResponse) -> Result<bool, String> {
    let body = String::from_utf8_lossy(&response.body);
    match response.status {
        200 => Ok(true),
        503 if body.contains("rebuilding") => Ok(false),
        status => Err(format!("a question is answered with {status} {body}")),
    }
}

async fn changes(world: &World, context: &Context) -> Result<bool, String> {
    let counted = meter::counted(world).await;
    let mut answered = false;
    for location in [Some(0), Some(1), None] {
        let name = location.map_or("all", |location| LOCATIONS[location]);
        let response = metrics_query::handle(get(&format!("/_/backbeat/api/metrics/crr/{name}")), context).await;
        if !is_right(&response)? {
            return Ok(false);
        }
        answered = true;
        let body: Value = serde_json::from_slice(&response.body).map_err(|e| format!("not JSON: {e}"))?;
        let expected = world.changes().figures(&counted, location, world.clock.now());
        check_figures(&body, &expected).map_err(|e| format!("{name} at {counted:?}: {e}"))?;
    }
    check_positions(world, &counted)?;
    check_tombstones(world, &counted).await?;
    Ok(answered)
}

fn check_figures(body: &Value, expected: &Figures) -> Result<(), String> {
    let backlog = Count { ops: expected.pending.ops.max(0), bytes: expected.pending.bytes.max(0) };
    let figures = [
        ("backlog", backlog),
        ("pending", expected.pending),
        ("completions", expected.completions),
        ("failures", expected.failures),
    ];
    for (name, Count { ops, bytes }) in figures {
        let results = &body[name]["results"];
        if (results["count"].as_i64(), results["size"].as_i64()) != (Some(ops), Some(bytes)) {
            return Err(format!("{name} is {results}, not {ops} operations of {bytes} bytes"));
        }
    }
    Ok(())
}

/// What was shown before is not forgotten.
fn check_positions(world: &World, counted: &Counted) -> Result<(), String> {
    for (partition, (_, to)) in counted {
        grows(world, format!("changes of metrics partition {partition}"), to.0 as f64)?;
    }
    Ok(())
}

async fn check_tombstones(world: &World, counted: &Counted) -> Result<(), String> {
    let read = world.figures.read(&[Query::Text(rejected("tombstone"))]).await.map_err(|e| e.to_string())?;
    let [Held::Text(shown)] = &read[..] else { return Err(format!("a text was asked for, not {read:?}")) };
    let shown = shown.as_deref().map_or(Ok(0), str::parse::<usize>).map_err(|e| e.to_string())?;
    let sent = world.changes().tombstones(counted);
    if shown == sent { Ok(()) } else { Err(format!("{shown} tombstones were passed over, {sent} were sent")) }
}

fn grows(world: &World, series: String, figure: f64) -> Result<(), String> {
    let mut meter = world.meter();
    let most = meter.shown.entry(series.clone()).or_insert(figure);
    if figure < *most {
        return Err(format!("{series} was {most} and is {figure}"));
    }
    *most = figure;
    Ok(())
}

fn page(response: &HttpResponse) -> Result<BTreeMap<String, f64>, String> {
    let body = std::str::from_utf8(&response.body).map_err(|e| e.to_string())?;
    let series = |line: &str| {
        let (series, figure) = line.rsplit_once(' ').ok_or_else(|| format!("no figure in {line:?}"))?;
        Ok((series.to_owned(), figure.parse().map_err(|e| format!("{line:?}: {e}"))?))
    };
    body.lines().filter(|line| !line.starts_with('#')).map(series).collect()
}

async fn check_page(world: &World, page: &BTreeMap<String, f64>) -> Result<(), String> {
    for (series, figure) in page.iter().filter(|(series, _)| series.contains("_progress{")) {
        if !(0.0..=1.0).contains(figure) {
            return Err(format!("{series} is {figure}"));
        }
    }
    for topic in TOPICS.into_iter().filter(|topic| !world.accidents.is_shaken(topic)) {
        let durable = durable(world, topic).await?;
        for (series, most) in series_of_totals(topic, &durable.totals) {
            let Some(shown) = page.get(&series) else { continue };
            if *shown > most {
                return Err(format!("{series} is {shown}, and the storage holds {most}"));
            }
            grows(world, series, *shown)?;
        }
        // What is present falls when it expires, and that is known a refresh later.
        for (series, most) in series_of_present(topic, &durable.totals) {
            if let Some(shown) = page.get(&series).filter(|shown| **shown > most) {
                return Err(format!("{series} is {shown}, and the storage ever held {most}"));
            }
        }
    }
    Ok(())
}

/// The series that show what a topic's chains ever counted.
pub fn series_of_totals(topic: &str, totals: &Totals) -> Vec<(String, f64)> {
    let figures = [
        ("backup_sink_bytes_count_total", totals.stored_bytes),
        ("backup_sink_records_count_total", totals.records),
        ("backup_sink_records_filtered_count", totals.filtered),
        ("highwater_filter_errors_total", totals.filter_errors),
        ("backup_sink_records_size_total", totals.record_bytes),
        ("backup_sink_segments_count_total", totals.segments),
    ];
    of_topic(topic, &figures)
}

/// The series that show what of it is present.
pub fn series_of_present(topic: &str, present: &Totals) -> Vec<(String, f64)> {
    let figures = [
        ("backup_sink_bytes_count", present.stored_bytes),
        ("backup_sink_records_count", present.records),
        ("backup_sink_records_size", present.record_bytes),
        ("backup_sink_segments_count", present.segments),
    ];
    of_topic(topic, &figures)
}

fn of_topic(topic: &str, figures: &[(&str, u64)]) -> Vec<(String, f64)> {
    figures.iter().map(|(name, figure)| (format!("{name}{{topic=\"{topic}\"}}"), *figure as f64)).collect()
}

/// What the storage holds of a topic, all incarnations together.
#[derive(Default)]
pub struct Durable {
    /// All that was ever stored.
    pub totals: Totals,
    /// What has not expired.
    pub present: Totals,
}

/// What the storage holds of a topic.
pub async fn durable(world: &World, topic: &str) -> Result<Durable, String> {
    let mut durable = Durable::default();
    for end in chain_ends(world, topic).await? {
        durable.totals = durable.totals.plus(end.point.totals);
        durable.present = durable.present.plus(end.point.totals.minus(end.expired));
    }
    Ok(durable)
}

/// Where a chain ends in the storage.
pub struct End {
    pub chain: ChainIdentity,
    pub next: Offset,
    pub point: ChainPoint,
    /// What it counts below its floor.
    expired: Totals,
}

/// Where the chains of a topic end in the storage.
pub async fn chain_ends(world: &World, topic: &str) -> Result<Vec<End>, String> {
    let cluster = world.kafka.cluster_id().await.map_err(|e| e.to_string())?;
    let chains = archive::chains_of_topic(&*world.stored, &cluster, "main", topic).await;
    let mut ends = vec![];
    for chain in chains.map_err(|e| e.to_string())? {
        let (next, point) = chain_end(world, &chain).await?;
        let floor = archive::read_floor(&*world.stored, &chain).await.map_err(|e| e.to_string())?;
        ends.push(End { chain, next, point, expired: floor.floor.before.totals });
    }
    Ok(ends)
}

async fn chain_end(world: &World, chain: &ChainIdentity) -> Result<(Offset, ChainPoint), String> {
    let folder = keys::chain_folder(chain);
    let (objects, _) = archive::chain_objects(&*world.stored, chain, "").await.map_err(|e| e.to_string())?;
    let cuts = archive::read_accepted_losses(&*world.stored, chain).await.map_err(|e| e.to_string())?.cuts();
    let mut segments = objects.iter().rev().filter_map(|entry| SegmentEntry::of(&folder, entry));
    let Some(last) = segments.find(|segment| !segment.is_superseded(&cuts)) else {
        // What expired is counted still where nothing lies behind the floor, since that loss was accepted.
        let floor = archive::read_floor(&*world.stored, chain).await.map_err(|e| e.to_string())?.floor;
        return Ok((floor.base, floor.before));
    };
    if let Some(known) = world.meter().points.get(&last.key) {
        return Ok(*known);
    }
    let metadata = archive::read_metadata(&*world.stored, chain, &last).await.map_err(|e| e.to_string())?;
    let end = (metadata.next, metadata.after(last.size_bytes));
    world.meter().points.insert(last.key, end);
    Ok(end)
}
