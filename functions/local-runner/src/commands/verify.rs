//! `highwater verify`: backup-verifier in this process, and what it found as a table.

use std::sync::{Arc, Mutex, PoisonError};

use backup_verifier::{Context, NotCompared, Progress, Repair, Verified, Verify, VerifyError, Witness, handle};
use indicatif::ProgressBar;
use serde::Serialize;
use shared::{
    adapters::{
        connect::{self, StartError},
        instance,
        system_clock::SystemClock,
    },
    chain::{
        keys::chain_folder,
        verify::{ChainReport, Finding, seals::Seals},
    },
    config::Settings,
    ports::{objects::Objects, records::Kafka, store::Store},
};

use crate::{
    cli::VerifyArgs,
    failure::{Failure, Verdict},
    output::{self, Report, progress, table, time::utc},
    storage,
};

pub(super) async fn run(config: Option<&str>, args: VerifyArgs) -> Result<Verdict, Failure> {
    let storage = match &args.location {
        Some(location) => storage::open_location(config, location).await?,
        None => storage::open(config, &args.storage).await?,
    };
    // What a location lacks is on its way, which is no damage: it is asked alone.
    let settings = storage.settings.as_ref();
    let witnesses = witnesses(settings.filter(|_| args.location.is_none()), args.repair).await?;
    let mut context = context(settings, storage.objects.clone(), witnesses);
    let input = Verify { backup: args.storage.backup, deep: args.deep, repair: args.repair, deadline: None };
    let verified = verified(input, &mut context).await.map_err(|source| match args.location.clone() {
        Some(name) => Failure::Location { name, source: Box::new(source) },
        None => source.into(),
    })?;
    output::print(&Told { verified: &verified, location: args.location.as_deref() }, args.output.json)?;
    Ok(judged(&verified))
}

/// Kafka and the store of figures, or why they cannot be asked.
type Witnesses = (Result<Option<Arc<dyn Kafka>>, StartError>, Result<Option<Arc<dyn Store>>, StartError>);

/// Both are waited for at once. A repair is not done without one that is configured: Kafka's group may know of a missing
/// tail that a repair of the figures would hide.
async fn witnesses(settings: Option<&Settings>, repair: bool) -> Result<Witnesses, StartError> {
    let Some(settings) = settings else { return Ok((Ok(None), Ok(None))) };
    let (kafka, store) = (connect::kafka_if_configured(settings), connect::redis_if_configured(settings));
    if repair {
        return connect::both(kafka, store).await.map(|(kafka, store)| (Ok(kafka), Ok(store)));
    }
    Ok(tokio::join!(kafka, store))
}

fn context(settings: Option<&Settings>, objects: Arc<dyn Objects>, (kafka, store): Witnesses) -> Context {
    let (mut failed, clock) = (vec![], Arc::new(SystemClock));
    let kafka = kafka.unwrap_or_else(|error| {
        failed.push((Witness::Kafka, error));
        None
    });
    let store = store.unwrap_or_else(|error| {
        failed.push((Witness::Redis, error));
        None
    });
    let mut context = Context::new(settings, objects, kafka, store, clock, &instance::name(&SystemClock));
    context.progress = Arc::new(Bar::default());
    failed.iter().for_each(|(witness, error)| context.without(*witness, error));
    context
}

/// The storage is verified also where a witness stops answering, but for a repair.
async fn verified(input: Verify, context: &mut Context) -> Result<Verified, VerifyError> {
    loop {
        match handle(input.clone(), context).await {
            Err(error) if !input.repair && context.leave_out(&error) => {}
            answer => return answer,
        }
    }
}

/// What is wrong is wrong whoever else was not asked.
fn judged(verified: &Verified) -> Verdict {
    match verified.findings().count() {
        0 if verified.not_compared.is_empty() => Verdict::Good,
        0 => Verdict::Incomplete,
        _ => Verdict::Wrong,
    }
}

/// The bar of the backup that is being verified.
#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn of_now(&self, change: impl FnOnce(&mut Option<ProgressBar>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bar {
    fn begin(&self, backup: &str, bytes: Option<u64>) {
        let what = format!("verify {backup}");
        let bar = bytes.map_or_else(|| progress::objects(what.clone()), |total| progress::bytes(what.clone(), total));
        self.of_now(|now| *now = Some(bar));
    }

    fn read(&self, bytes: u64) {
        self.of_now(|now| {
            if let Some(bar) = now {
                // A bar of objects has no length, and nothing of them is read but footers.
                bar.inc(if bar.length().is_some() { bytes } else { 1 });
            }
        });
    }

    fn end(&self) {
        self.of_now(|now| now.take().iter().for_each(ProgressBar::finish_and_clear));
    }
}

fn how(verified: &Verified) -> String {
    if !verified.deep {
        return format!("by listings and footers, in {:.1} s", verified.seconds);
    }
    let megabytes = verified.backups.iter().map(|backup| backup.bytes_read).sum::<u64>() as f64 / 1e6;
    let rate = megabytes / verified.seconds.max(1e-3);
    format!("every one read: {megabytes:.1} MB in {:.1} s, {rate:.0} MB/s", verified.seconds)
}

/// How far keys vouch for it; nothing where nothing is sealed and no key is configured.
fn seals(verified: &Verified) -> String {
    let chains = verified.backups.iter().flat_map(|backup| &backup.chains);
    let sum = chains.fold(Seals::default(), |sum, chain| sum.plus(chain.seals));
    let mut text = String::new();
    if verified.backups.iter().any(|backup| backup.sealed) {
        text.push_str(&format!("; {} sealed, {} before a sealed one", sum.valid, sum.covered));
    }
    if sum.older_than_the_key > 0 {
        text.push_str(&format!(", {} older than the key, which nothing vouches for", sum.older_than_the_key));
    }
    if sum.unchecked > 0 {
        text.push_str(&format!("; {} seals not checked, because no integrity.hmac_key is configured", sum.unchecked));
    }
    text
}

/// What was verified: the storage, or a location alone.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    pub(super) verified: &'a Verified,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) location: Option<&'a str>,
}

fn conclusion(Told { verified, location }: &Told<'_>) -> String {
    let chains = verified.backups.iter().flat_map(|backup| &backup.chains);
    let (segments, records) =
        chains.fold((0, 0), |(s, r), chain| (s + chain.present.segments, r + chain.present.records));
    let verdict = match (verified.findings().count(), judged(verified)) {
        (0, Verdict::Incomplete) => "NOT ALL CHECKED, and nothing wrong in the storage".to_owned(),
        (0, _) => "good".to_owned(),
        (count, _) => format!("WRONG: {count} findings"),
    };
    let not = |compared: bool, what: &str, section: &str, who: Witness| match (compared, location) {
        (true, _) => String::new(),
        _ if verified.not_compared.iter().any(|it| it.witness == who) => {
            format!("; {what} not compared, because {section} cannot be asked")
        }
        (false, Some(_)) => format!("; {what} not asked, because a location is verified from itself alone"),
        (false, None) => format!("; {what} not compared, because [{section}] is not configured"),
    };
    let kafka = not(verified.compared_with_kafka, "committed offsets", "kafka", Witness::Kafka);
    let metrics = not(verified.compared_with_metrics, "metrics", "redis", Witness::Redis);
    let (how, seals) = (how(verified), seals(verified));
    format!("{verdict}: {records} records in {segments} segments, {how}{seals}{kafka}{metrics}\n")
}

fn row(report: &ChainReport) -> [String; 9] {
    let chain = &report.chain;
    [
        chain.backup.clone(),
        chain.topic.to_string(),
        chain.incarnation.to_string(),
        chain.partition.to_string(),
        report.start.to_string(),
        report.next.to_string(),
        report.present.records.to_string(),
        report.present.segments.to_string(),
        if report.findings.is_empty() { "good".to_owned() } else { "WRONG".to_owned() },
    ]
}

/// What is declared not to be there: nothing that is wrong, but nothing to be silent about.
fn gap_lines(report: &ChainReport) -> impl Iterator<Item = String> + '_ {
    report.gaps.iter().map(|gap| {
        let (folder, declared) = (chain_folder(&report.chain), utc(gap.declared_at));
        format!("gap: {folder} [{}, {}): {}, declared {declared}\n", gap.from, gap.to, name_of(gap.cause))
    })
}

/// Its name as JSON has it, so that there is one name for it.
fn name_of(kind: impl Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

fn repair_line(repair: &Repair) -> String {
    let Repair { hash, field, what, left_because } = repair;
    match left_because {
        None => format!("repaired: {hash} {field}: {what}\n"),
        Some(why) => format!("left: {hash} {field}: {what}, and {why}\n"),
    }
}

/// A witness that is configured, and why it was not compared.
fn not_compared_line(NotCompared { witness, because }: &NotCompared) -> String {
    format!("not compared with {}: {because}\n", name_of(witness))
}

fn line(finding: &Finding) -> String {
    let range = match (finding.from, finding.to) {
        (Some(from), Some(to)) => format!(" [{from}, {to})"),
        _ => String::new(),
    };
    format!("{}: {}{range}: {}\n", name_of(finding.kind), finding.key, finding.detail)
}

impl Report for Told<'_> {
    const SCHEMA: &'static str = "highwater.verify.v1";

    fn text(&self) -> String {
        let verified = self.verified;
        let rows: Vec<_> = verified.backups.iter().flat_map(|backup| &backup.chains).map(row).collect();
        let heads = ["BACKUP", "TOPIC", "N", "PARTITION", "START", "NEXT", "RECORDS", "SEGMENTS", ""];
        let gaps: String = verified.backups.iter().flat_map(|backup| &backup.chains).flat_map(gap_lines).collect();
        let findings: String = verified.findings().map(line).collect();
        let notes: String = verified.notes().map(line).collect();
        let repairs: String = verified.backups.iter().flat_map(|backup| &backup.repairs).map(repair_line).collect();
        let left_out: String = verified.not_compared.iter().map(not_compared_line).collect();
        format!("{}{gaps}{notes}{repairs}{findings}{left_out}{}", table::layout(heads, &rows), conclusion(self))
    }
}

#[cfg(test)]
mod tests {
    use shared::adapters::memory::{
        clock::ManualClock,
        faults::{Faults, FaultyStore, Odds},
        store::MemoryStore,
    };

    use super::*;
    use crate::test_backup::{NOW, TestBackup};

    async fn verified(test: &TestBackup, input: Verify) -> Verified {
        let clock = Arc::new(ManualClock::at(NOW));
        let context = Context::new(None, test.objects.clone(), None, None, clock, "test");
        handle(input, &context).await.unwrap()
    }

    async fn text(test: &TestBackup, input: Verify) -> String {
        Told { verified: &verified(test, input).await, location: None }.text()
    }

    #[tokio::test]
    async fn of_a_location_nobody_else_is_asked_which_is_told_apart_from_what_is_not_configured() {
        let verified = verified(&TestBackup::make().await, Verify::default()).await;
        let told = Told { verified: &verified, location: Some("paris") };
        let text = told.text();
        assert!(text.contains("; metrics not asked, because a location is verified from itself alone"), "{text}");
        assert!(!text.contains("not configured"), "{text}");
        assert_eq!(serde_json::to_value(&told).unwrap()["location"], "paris");
    }

    #[tokio::test]
    async fn the_conclusion_tells_what_was_read_and_what_nobody_could_say() {
        let test = TestBackup::make().await;
        let quick = text(&test, Verify::default()).await;
        assert!(quick.contains("good: 13 records in 3 segments, by listings and footers, in 0.0 s"), "{quick}");
        assert!(quick.contains("; metrics not compared, because [redis] is not configured"), "{quick}");
        let deep = text(&test, Verify { deep: true, ..Verify::default() }).await;
        assert!(deep.contains("good: 13 records in 3 segments, every one read: 0.0 MB in 0.0 s, "), "{deep}");
    }

    /// A Redis that the run cannot ask, as when it ends between the start and the question.
    fn redis_that_fails() -> Arc<dyn Store> {
        let store = MemoryStore::new(Arc::new(ManualClock::at(NOW)));
        let odds = Odds { fail_before: 1.0, ..Odds::NONE };
        Arc::new(FaultyStore::new(Arc::new(store), Arc::new(Faults::new(0, odds, None))))
    }

    fn down(what: &str) -> StartError {
        StartError::NoAnswer { what: what.to_owned(), remedy: "start it" }
    }

    async fn without_witnesses(test: &TestBackup) -> Verified {
        let witnesses = (Err(down("kafka at b:9092")), Ok(Some(redis_that_fails())));
        let mut context = context(None, test.objects.clone(), witnesses);
        super::verified(Verify::default(), &mut context).await.unwrap()
    }

    #[tokio::test]
    async fn the_storage_is_verified_also_where_no_witness_can_be_asked_and_the_answer_is_not_good() {
        let test = TestBackup::make().await;
        let verified = without_witnesses(&test).await;
        let told = Told { verified: &verified, location: None };
        let text = told.text();
        let kafka = "\nnot compared with kafka: kafka at b:9092 did not answer within 9.5 s; start it\n";
        assert!(text.contains(kafka) && text.contains("\nnot compared with redis: read: redis at memory"), "{text}");
        let last = text.lines().last().unwrap();
        let begin = "NOT ALL CHECKED, and nothing wrong in the storage: 13 records in 3 segments";
        let end = "; committed offsets not compared, because kafka cannot be asked; metrics not compared, because redis cannot be asked";
        assert!(last.starts_with(begin) && last.ends_with(end), "{last}");
        assert_eq!((judged(&verified), verified.good), (Verdict::Incomplete, false));
    }

    #[tokio::test]
    async fn damage_is_wrong_whoever_was_not_asked() {
        let test = TestBackup::make().await;
        test.objects.delete("main/orders/1/0/00000000000000000000.kan").await.unwrap();
        let verified = without_witnesses(&test).await;
        let text = Told { verified: &verified, location: None }.text();
        assert!(text.lines().last().unwrap().starts_with("WRONG: 1 findings"), "{text}");
        assert_eq!((judged(&verified), verified.not_compared.len()), (Verdict::Wrong, 2));
    }

    #[tokio::test]
    async fn figures_are_not_repaired_while_redis_fails() {
        let witnesses = (Ok(None), Ok(Some(redis_that_fails())));
        let mut context = context(None, TestBackup::make().await.objects, witnesses);
        let input = Verify { repair: true, ..Verify::default() };
        let error = super::verified(input, &mut context).await.unwrap_err();
        assert!(matches!(error, VerifyError::Store(_)), "{error}");
    }

    #[tokio::test]
    async fn seals_that_no_key_checks_are_told() {
        let test = TestBackup::sealed_with([Some("the key of the backup, 32 characters long"); 3]).await;
        let text = text(&test, Verify::default()).await;
        assert!(text.contains("; 6 seals not checked, because no integrity.hmac_key is configured"), "{text}");
    }

    #[test]
    fn a_repair_is_told_and_so_is_what_was_left_with_its_reason() {
        let repair = |left_because| Repair { hash: "h".into(), field: "f".into(), what: "behind".into(), left_because };
        assert_eq!(repair_line(&repair(None)), "repaired: h f: behind\n");
        assert_eq!(repair_line(&repair(Some("why".into()))), "left: h f: behind, and why\n");
    }
}
