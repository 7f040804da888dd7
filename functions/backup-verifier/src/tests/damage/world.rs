//! A backup of two topics, and everything that can happen to it.

use std::sync::Arc;

use bytes::Bytes;
use shared::{
    adapters::memory::{clock::ManualClock, objects::MemoryObjects},
    chain::{ChainIdentity, Floor, LastRead, keys},
    metrics::standing::{Message, Standing},
    ports::objects::{GetRange, ListRequest, Objects, PutCondition},
    record::{Offset, Record},
    segment::{Compression, SegmentEncoder, SegmentMetadata, SegmentStart, decoder, footer},
};

use super::{
    super::{
        everything,
        test_backup::{NOW, TestBackup},
    },
    figures,
    matrix::Damage,
};
use crate::witnesses::Witnesses;

pub const FIRST: &str = "main/orders/1/0/00000000000000000000.kan";
pub const MIDDLE: &str = "main/orders/1/0/00000000000000000005.kan";
pub const LAST: &str = "main/orders/1/0/00000000000000000010.kan";
const OTHER_PARTITION: &str = "main/orders/1/1/00000000000000000000.kan";
const OTHER_TOPIC: &str = "main/payments/1/0/00000000000000000000.kan";
pub const FLOOR: &str = "main/orders/1/0/=floor.json";
const CLAIM: &str = "main/orders/=incarnations/1.json";

/// An undamaged backup, made once.
pub struct Whole {
    backup: TestBackup,
    pub messages: Vec<Message>,
}

impl Whole {
    pub async fn make() -> Whole {
        Whole::sealed_with([None; 3]).await
    }

    /// Sealed with these keys in turn.
    pub async fn sealed_with(keys: [Option<&str>; 3]) -> Whole {
        let backup = TestBackup::sealed_with(keys).await;
        Whole { messages: figures::messages(&backup).await, backup }
    }

    /// Deletes a topic in Kafka.
    pub fn delete_topic(&self, topic: &str) {
        self.backup.kafka.delete(topic);
    }
}

/// A copy of it, with Kafka and Redis as its witnesses, to be damaged.
pub struct World<'a> {
    pub objects: MemoryObjects,
    pub witnesses: Witnesses,
    whole: &'a Whole,
}

impl<'a> World<'a> {
    pub async fn of(whole: &'a Whole) -> Self {
        let objects = MemoryObjects::new(Arc::new(ManualClock::at(NOW)));
        for entry in whole.backup.objects.list(ListRequest::prefix("")).await.unwrap().objects {
            let body = whole.backup.objects.get(&entry.key, GetRange::Whole).await.unwrap().unwrap().body;
            objects.put(&entry.key, body, PutCondition::IfAbsent).await.unwrap();
        }
        let store = figures::of(&whole.messages).await;
        let kafka = whole.backup.kafka.clone();
        World {
            objects,
            witnesses: Witnesses {
                store: Some(store),
                kafka: Some(kafka),
                configured: [("main".to_owned(), everything())].into(),
                ..Witnesses::default()
            },
            whole,
        }
    }

    /// The last standing of partition 0 of orders.
    pub fn standing(&self) -> Standing {
        figures::standing(&self.whole.messages, 15)
    }

    /// Does a variant of the damage; whether there is such a variant.
    pub async fn damage(&mut self, damage: Damage, variant: usize) -> bool {
        if !self.hear(damage, variant) {
            return false;
        }
        match damage {
            Damage::FirstMissing | Damage::FloorMissing => self.delete(FIRST).await,
            Damage::MiddleMissing => self.delete(MIDDLE).await,
            Damage::LastMissing | Damage::LastMissingUnknown => self.delete(LAST).await,
            Damage::ChainMissing => self.delete(OTHER_PARTITION).await,
            Damage::TopicMissing => self.delete_all("main/payments/").await,
            Damage::OlderVersion => self.shorten(MIDDLE).await,
            Damage::OlderLast => self.shorten(LAST).await,
            Damage::Truncated => return self.truncate(variant).await,
            Damage::Extended => return self.extend(variant).await,
            Damage::FlippedInBody => return self.flip(variant, |body, _| 0..body).await,
            Damage::FlippedInFooter => return self.flip(variant, |body, size| body..size).await,
            Damage::Swapped => self.swap(FIRST, MIDDLE).await,
            Damage::ForeignObject => return self.foreign_object(variant).await,
            Damage::OtherPartition => self.copy(OTHER_PARTITION, FIRST).await,
            Damage::OtherTopic => self.copy(OTHER_TOPIC, FIRST).await,
            Damage::OtherCluster => self.of_another(|chain| chain.cluster_id = "other".into()).await,
            Damage::OtherBackup => self.of_another(|chain| chain.backup = "other".into()).await,
            Damage::OverlappingSegment => self.overlap().await,
            Damage::OtherContentOldFooter => self.other_content(MIDDLE, true).await,
            Damage::LyingFooter => self.lie(MIDDLE).await,
            Damage::OtherContent => self.other_content(MIDDLE, false).await,
            Damage::OtherContentLast | Damage::OtherContentLastUnknown => self.other_content(LAST, false).await,
            Damage::FloorOffChain => self.floor(7, |_| ()).await,
            Damage::FloorMiscounts => self.floor(5, |floor| floor.before.totals.records += 1).await,
            Damage::FloorDamaged => self.put(FLOOR, "{".into()).await,
            Damage::ClaimMissing => self.delete(CLAIM).await,
            Damage::ClaimDamaged => self.put(CLAIM, "{".into()).await,
            Damage::OwnerMissing => self.delete("main/=owner.json").await,
            Damage::BackupMissing => {
                self.delete_all("main/").await;
                self.witnesses.configured = [("main".to_owned(), everything())].into();
            }
            Damage::FiguresMissing | Damage::FiguresBehind | Damage::FiguresWrong | Damage::FiguresAhead => {
                figures::damage(&**self.witnesses.store.as_ref().unwrap(), &self.whole.messages, damage).await;
            }
        }
        true
    }

    /// Leaves the witnesses that the row has. What Kafka or Redis alone is enough for comes in two variants.
    fn hear(&mut self, damage: Damage, variant: usize) -> bool {
        match damage {
            Damage::LastMissing | Damage::ChainMissing | Damage::TopicMissing | Damage::OlderLast => match variant {
                0 => self.witnesses.store = None,
                1 => self.witnesses.kafka = None,
                _ => return false,
            },
            Damage::LastMissingUnknown
            | Damage::OtherContentLastUnknown
            | Damage::FloorMissing
            | Damage::FloorOffChain
            | Damage::FloorMiscounts
            | Damage::FloorDamaged
            | Damage::ClaimMissing
            | Damage::ClaimDamaged => self.witnesses = Witnesses::default(),
            _ => {}
        }
        let has_variants = matches!(
            damage,
            Damage::LastMissing
                | Damage::ChainMissing
                | Damage::TopicMissing
                | Damage::OlderLast
                | Damage::Truncated
                | Damage::Extended
                | Damage::FlippedInBody
                | Damage::FlippedInFooter
                | Damage::ForeignObject
        );
        has_variants || variant == 0
    }

    pub async fn get(&self, key: &str) -> Bytes {
        self.objects.get(key, GetRange::Whole).await.unwrap().unwrap().body
    }

    pub async fn put(&self, key: &str, body: Bytes) {
        self.delete(key).await;
        self.objects.put(key, body, PutCondition::IfAbsent).await.unwrap();
    }

    pub async fn delete(&self, key: &str) {
        self.objects.delete(key).await.unwrap();
    }

    async fn delete_all(&self, prefix: &str) {
        for entry in self.objects.list(ListRequest::prefix(prefix)).await.unwrap().objects {
            self.delete(&entry.key).await;
        }
    }

    async fn copy(&self, from: &str, to: &str) {
        self.put(to, self.get(from).await).await;
    }

    async fn swap(&self, one: &str, other: &str) {
        let (first, second) = (self.get(one).await, self.get(other).await);
        self.put(one, second).await;
        self.put(other, first).await;
    }

    async fn truncate(&self, variant: usize) -> bool {
        let body = self.get(MIDDLE).await;
        let Some(length) = [0, 4, body.len() / 2, body.len() - 1].get(variant).copied() else { return false };
        self.put(MIDDLE, body.slice(..length)).await;
        true
    }

    async fn extend(&self, variant: usize) -> bool {
        let body = self.get(MIDDLE).await;
        let Some(more) = [Bytes::from_static(b"\0"), body.clone()].get(variant).cloned() else { return false };
        self.put(MIDDLE, [body, more].concat().into()).await;
        true
    }

    /// Flips a bit in every seventh byte of a region, another bit each time.
    async fn flip(&self, variant: usize, region: impl Fn(usize, usize) -> std::ops::Range<usize>) -> bool {
        let mut body = self.get(MIDDLE).await.to_vec();
        let body_bytes = usize::try_from(metadata(&body.clone().into()).body_bytes).unwrap();
        let Some(place) = region(body_bytes, body.len()).nth(7 * variant) else { return false };
        body[place] ^= 1 << (variant % 8);
        self.put(MIDDLE, body.into()).await;
        true
    }

    async fn foreign_object(&self, variant: usize) -> bool {
        let keys = [
            "main/notes.txt",
            "main/orders/notes.txt",
            "main/orders/1/0/5.kan",
            "main/orders/1/0/=x.json",
            "main/=owner.json.bak",
            "main/orders/=incarnations/1.json~",
        ];
        let Some(key) = keys.get(variant) else { return false };
        self.put(key, "mine".into()).await;
        true
    }

    /// The segment as it would have been without its last two records.
    async fn shorten(&self, key: &str) {
        let (metadata, mut records) = decoder::records(self.get(key).await).unwrap();
        records.truncate(records.len() - 2);
        self.put(key, encode(&metadata, metadata.chain.clone(), &records, Offset(metadata.next.0 - 2))).await;
    }

    async fn of_another(&self, change: impl Fn(&mut ChainIdentity)) {
        let (metadata, records) = decoder::records(self.get(FIRST).await).unwrap();
        let mut chain = metadata.chain.clone();
        change(&mut chain);
        self.put(FIRST, encode(&metadata, chain, &records, metadata.next)).await;
    }

    async fn overlap(&self) {
        let (metadata, records) = decoder::records(self.get(FIRST).await).unwrap();
        let mut inner = metadata.clone();
        inner.base = Offset(3);
        inner.before.digest = metadata.before.digest.after_all(&records[..3]);
        let body = encode(&inner, metadata.chain.clone(), &records[3..], metadata.next);
        self.put(&keys::segment(&metadata.chain, Offset(3)), body).await;
    }

    /// Other records in a file of the same size; with the digest of the old ones where the footer is kept.
    async fn other_content(&self, key: &str, keep_footer: bool) {
        let old = self.get(key).await;
        let (claimed, mut records) = decoder::records(old.clone()).unwrap();
        let value =
            records.iter().rposition(|record| record.value.as_ref().is_some_and(|value| value.len() > 3)).unwrap();
        for number in 0..1_000 {
            let mut text = records[value].value.clone().unwrap().to_vec();
            text[..3].copy_from_slice(format!("{number:03}").as_bytes());
            records[value].value = Some(text.into());
            let mut body = encode(&claimed, claimed.chain.clone(), &records, claimed.next).to_vec();
            if keep_footer {
                let digest = metadata(&body.clone().into()).digest;
                replace(&mut body, &digest.to_string(), &claimed.digest.to_string());
            }
            if body.len() == old.len() {
                return self.put(key, body.into()).await;
            }
        }
        panic!("no other content makes a file of the same size");
    }

    async fn lie(&self, key: &str) {
        let mut body = self.get(key).await.to_vec();
        replace(&mut body, "\"own\":{\"records\":5", "\"own\":{\"records\":4");
        self.put(key, body.into()).await;
    }

    async fn floor(&self, base: i64, change: impl Fn(&mut Floor)) {
        let before = metadata(&self.get(MIDDLE).await).before;
        let mut floor = Floor { format_version: 1, base: Offset(base), before, seal: None, losses: 0 };
        change(&mut floor);
        self.put(FLOOR, serde_json::to_vec(&floor).unwrap().into()).await;
    }
}

pub fn metadata(body: &Bytes) -> SegmentMetadata {
    footer::metadata(body, body.len() as u64).unwrap()
}

/// A segment like this one, of other records.
fn encode(like: &SegmentMetadata, chain: ChainIdentity, records: &[Record], next: Offset) -> Bytes {
    let start = SegmentStart { chain, base: like.base, before: like.before, last_gap_at: None };
    let mut encoder = SegmentEncoder::new(start, Compression::None).unwrap();
    encoder.append(records).unwrap();
    let leader_epoch = like.last_read.and_then(|last| last.leader_epoch);
    let last_read = records.last().map(|last| LastRead::of(last, leader_epoch));
    encoder.behind_record(last_read).finish(next, like.written_at).unwrap().body
}

/// Puts a text of the same length into the footer, and makes the checksum anew.
pub fn replace(body: &mut [u8], old: &str, new: &str) {
    let body_bytes = metadata(&Bytes::copy_from_slice(body)).body_bytes;
    let at = body.windows(old.len()).rposition(|window| window == old.as_bytes()).expect("the text is in the footer");
    body[at..at + old.len()].copy_from_slice(new.as_bytes());
    footer::write_checksum(body, body_bytes);
}
