//! What the target must hold, and what of it a group must read.

use super::*;

impl World {
    /// What the target must hold: the records of each source partition that are asked for, in order.
    async fn expected(&self) -> BTreeMap<i32, Vec<(i64, Content)>> {
        let mut expected = BTreeMap::new();
        for partition in 0..self.asked.partitions {
            let all = read(&self.source, TOPIC, partition, Offset(0)).await.into_iter();
            let taken = all.filter(|record| self.asked.takes(partition, record));
            expected.insert(partition, taken.map(|record| (record.offset.0, content(record))).collect());
        }
        expected
    }

    /// Compares the target with what it must hold; answers how many records that is.
    pub(super) async fn judge(&self) -> Result<usize, String> {
        let expected = self.expected().await;
        let mut found = BTreeMap::new();
        for partition in 0..self.asked.target_partitions {
            let records = read(&self.target, TARGET, partition, Offset(0)).await;
            found.insert(partition, records.into_iter().map(content).collect::<Vec<_>>());
        }
        let count = expected.values().map(Vec::len).sum();
        if self.asked.rehash {
            return self.judge_rehashed(&expected, &found).map(|()| count);
        }
        for (partition, expected) in expected {
            let expected: Vec<_> = expected.into_iter().map(|(_, content)| content).collect();
            if found[&partition] != expected {
                let found = found[&partition].len();
                return Err(format!(
                    "partition {partition}: {found} records, and not the {} that were asked for",
                    expected.len()
                ));
            }
        }
        Ok(count)
    }

    /// Each record once, those of a key in one partition, and those of a source partition in their order.
    fn judge_rehashed(
        &self,
        expected: &BTreeMap<i32, Vec<(i64, Content)>>,
        found: &BTreeMap<i32, Vec<Content>>,
    ) -> Result<(), String> {
        let mut places: BTreeMap<String, i32> = BTreeMap::new();
        let mut keys: BTreeMap<Bytes, BTreeSet<i32>> = BTreeMap::new();
        for (partition, records) in found {
            for record in records {
                if places.insert(format!("{record:?}"), *partition).is_some() {
                    return Err(format!("{record:?} is there twice"));
                }
                keys.entry(record.1.clone().unwrap_or_default()).or_default().insert(*partition);
            }
        }
        if let Some((key, _)) = keys.iter().find(|(key, partitions)| !key.is_empty() && partitions.len() > 1) {
            return Err(format!("key {key:?} is in several partitions"));
        }
        for records in expected.values() {
            let mut of_target: BTreeMap<i32, Vec<&Content>> = BTreeMap::new();
            for (_, record) in records {
                let place = places.get(&format!("{record:?}")).ok_or_else(|| format!("{record:?} is missing"))?;
                of_target.entry(*place).or_default().push(record);
            }
            for (target, records) in of_target {
                let mut all = found[&target].iter();
                if !records.iter().all(|record| all.any(|found| found == *record)) {
                    return Err(format!("records of target partition {target} are out of order"));
                }
            }
        }
        let (expected, found) = (expected.values().map(Vec::len).sum::<usize>(), places.len());
        if expected == found { Ok(()) } else { Err(format!("{found} records, and not {expected}")) }
    }

    /// A group that had committed any offset reads in the target what it had not read in the source.
    pub(super) async fn judge_groups(&mut self, rng: &mut StdRng) -> Result<(), String> {
        let expected = self.expected().await;
        let id = self.source.topics(Some(&[TOPIC.into()])).await.expect("the source answers").swap_remove(0).id;
        for round in 0..3 {
            let mut committed = BTreeMap::new();
            for partition in 0..self.asked.partitions {
                let at = TopicPartition::new(TOPIC, partition);
                let end = self.source.bounds(&[at]).await.expect("the source answers").swap_remove(0).expect("bounds");
                committed.insert(partition, rng.random_range(0..=end.high_watermark.0));
            }
            let offset = |(partition, offset): (&i32, &i64)| GroupOffset {
                topic: TOPIC.into(),
                topic_id: id.clone(),
                partition: Partition(*partition),
                offset: Offset(*offset),
                seen_at: NOW,
            };
            let (answer, at) = (committed.iter().map(offset).collect(), Millis(NOW.0 + round));
            archive::store_group(&*self.objects, "main", GROUP, at, answer).await.expect("the snapshot is stored");
            let plan = Plan { groups: vec![GROUP.parse().expect("a name")], groups_only: true, ..self.asked.plan() };
            let report = self.run_well(Restore { plan, ..Restore::default() }).await?;
            if report.outcome != Outcome::Done {
                return Err(format!("the group is not restored: {report:?}"));
            }
            self.judge_group(&committed, &expected).await?;
            self.restored.group_offsets += committed.len();
        }
        Ok(())
    }

    async fn judge_group(
        &self,
        committed: &BTreeMap<i32, i64>,
        expected: &BTreeMap<i32, Vec<(i64, Content)>>,
    ) -> Result<(), String> {
        let mut left = vec![];
        for partition in 0..self.asked.target_partitions {
            let at = TopicPartition::new(TARGET, partition);
            let stands = self.target.committed_offsets(GROUP, &[at]).await.expect("the target answers").swap_remove(0);
            let Some(stands) = stands else { return Err(format!("nothing is committed for partition {partition}")) };
            left.push(read(&self.target, TARGET, partition, stands).await.into_iter().map(content).collect::<Vec<_>>());
        }
        for (partition, records) in expected {
            let unread = records.iter().filter(|(offset, _)| *offset >= committed[partition]);
            let unread: Vec<_> = unread.map(|(_, content)| content.clone()).collect();
            let is_right = match self.asked.rehash {
                false => left[usize::try_from(*partition).expect("a partition")] == unread,
                true => unread.iter().all(|record| left.iter().flatten().any(|found| found == record)),
            };
            if !is_right {
                return Err(format!("a group at {} of partition {partition} goes on elsewhere", committed[partition]));
            }
        }
        Ok(())
    }
}
