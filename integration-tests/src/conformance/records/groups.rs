//! Consumer groups.

use std::collections::BTreeSet;

use super::*;
use crate::eventually::eventually;

/// A group that is nobody else's: named after a topic that is nobody else's.
fn group_of(topic: &Arc<str>) -> String {
    format!("group-of-{topic}")
}

async fn committed(kafka: &dyn Kafka, group: &str, partitions: &[TopicPartition]) -> Vec<Option<i64>> {
    let offsets = kafka.committed_offsets(group, partitions).await.expect("the cluster answers");
    offsets.into_iter().map(|offset| offset.map(|offset| offset.0)).collect()
}

async fn join(kafka: &dyn Kafka, group: &str, topic: &Arc<str>) -> Box<dyn Fetch> {
    kafka.join(group, std::slice::from_ref(topic)).await.expect("join")
}

/// Waits until a member has exactly these partitions; records that come meanwhile are dropped.
async fn wait_for_assignment(members: &mut [(&mut dyn Fetch, &mut BTreeSet<i32>)], wanted: &[usize]) {
    let since = Instant::now();
    loop {
        for (fetch, has) in &mut *members {
            for fetched in fetch.next(Duration::from_millis(100)).await.expect("next") {
                match fetched {
                    Fetched::Assigned { partition } => assert!(has.insert(partition.partition.0), "assigned twice"),
                    Fetched::Revoked { partition } => assert!(has.remove(&partition.partition.0), "was not assigned"),
                    Fetched::Records { .. } | Fetched::End { .. } => {}
                    other => panic!("{other:?} in a group"),
                }
            }
        }
        let counts: Vec<usize> = members.iter().map(|(_, has)| has.len()).collect();
        if counts == wanted {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "the members have {counts:?} partitions, not {wanted:?}");
    }
}

/// Offsets are committed for a group without members, and read back; where there is none, none is told.
pub async fn offsets_are_committed_without_being_a_member(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let (p0, p1) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1));
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    cluster.append(&p1, &records(10)).await;
    let asked = [p1.clone(), p0.clone(), TopicPartition::new("there-never-was-such-a-topic", 0)];
    assert_eq!(committed(kafka, &group, &asked).await, [None, None, None]);
    kafka.commit(&group, &[(p1.clone(), Offset(7).into())]).await.expect("commit");
    assert_eq!(committed(kafka, &group, &asked).await, [Some(7), None, None]);
    kafka.commit(&group, &[(p0, Offset(0).into()), (p1, Offset(3).into())]).await.expect("commit");
    assert_eq!(committed(kafka, &group, &asked).await, [Some(3), Some(0), None]);
    kafka.commit(&group, &[]).await.expect("nothing to do");
}

/// A commit that tells of which topic it is said, and what is stored, is read back with that; one that does not, without.
pub async fn a_commit_tells_of_which_topic_it_is_said(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let (p0, p1) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1));
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    let of = |id: &str| Committed { offset: Offset(2), topic_id: Some(id.into()), stored: Some(Offset(1)) };
    kafka.commit(&group, &[(p0.clone(), of("one topic")), (p1.clone(), Offset(1).into())]).await.expect("commit");
    let read = async || kafka.committed(&group, &[p1.clone(), p0.clone()]).await.expect("the cluster answers");
    assert_eq!(read().await, [Some(Offset(1).into()), Some(of("one topic"))]);
    kafka.commit(&group, &[(p0.clone(), of("another topic"))]).await.expect("commit");
    assert_eq!(read().await, [Some(Offset(1).into()), Some(of("another topic"))]);
}

/// A deleted topic's committed offsets are gone: a topic created again starts anew.
pub async fn committed_offsets_go_with_their_topic(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(1, &[]).await;
    let p0 = TopicPartition::new(topic.clone(), 0);
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    kafka.commit(&group, &[(p0.clone(), Offset(0).into())]).await.expect("commit");
    cluster.delete_topic(&topic).await;
    eventually("the committed offset to be gone", PATIENCE, || async {
        let offsets = committed(kafka, &group, std::slice::from_ref(&p0)).await;
        if offsets == [None] { Ok(()) } else { Err(format!("{offsets:?}")) }
    })
    .await;
}

/// A member is given partitions, reads nothing before it says from where, and then from there.
pub async fn a_member_reads_from_where_it_says(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let p1 = TopicPartition::new(topic.clone(), 1);
    cluster.append(&p1, &records(5)).await;
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    // What was committed is a report for others: reading does not begin there by itself.
    kafka.commit(&group, &[(p1.clone(), Offset(4).into())]).await.expect("commit");
    let (mut member, mut has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    wait_for_assignment(&mut [(member.as_mut(), &mut has)], &[2]).await;
    assert_eq!(for_a_while(member.as_mut()).await, []);
    member.start(&p1, Offset(2)).await.expect("start");
    let read = read_to_end(member.as_mut(), std::slice::from_ref(&p1)).await;
    assert_eq!((read[&p1].offsets(), read[&p1].end), (vec![2, 3, 4], Some(Offset(5))));
}

/// While a group has members, commits of the same adapter still arrive, whoever has the partition.
pub async fn offsets_are_committed_while_the_group_has_members(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(2, &[]).await;
    let (p0, p1) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic.clone(), 1));
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    let (mut member, mut has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    // Right away, while the member may or may not be in yet: it arrives, or is refused because the group settles.
    if let Err(error) = kafka.commit(&group, &[(p0.clone(), Offset(0).into())]).await {
        assert!(matches!(error, RecordsError::Refused { .. }), "{error:?}");
    }
    wait_for_assignment(&mut [(member.as_mut(), &mut has)], &[2]).await;
    kafka.commit(&group, &[(p0.clone(), Offset(1).into()), (p1.clone(), Offset(2).into())]).await.expect("commit");
    assert_eq!(committed(kafka, &group, &[p0.clone(), p1.clone()]).await, [Some(1), Some(2)]);
}

/// Groups are listed with whether they have members, and one that has takes no commit of whoever is not one of them.
pub async fn groups_are_listed_and_only_an_idle_one_takes_commits_of_others(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(1, &[]).await;
    let p0 = TopicPartition::new(topic.clone(), 0);
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    let state = async || {
        let listed = kafka.groups().await.expect("the cluster lists its groups");
        listed.into_iter().find(|listed| listed.name == group).map(|listed| listed.state)
    };
    kafka.commit_idle(&group, &[(p0.clone(), Offset(1).into())]).await.expect("a group that nobody knows is idle");
    assert_eq!(state().await, Some(GroupState::Empty));
    let (mut member, mut has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    wait_for_assignment(&mut [(member.as_mut(), &mut has)], &[1]).await;
    assert_eq!(state().await, Some(GroupState::Active));
    let refused = kafka.commit_idle(&group, &[(p0.clone(), Offset(2).into())]).await;
    assert!(matches!(refused, Err(RecordsError::Refused { .. })), "{refused:?}");
    assert_eq!(kafka.committed_once(&group, std::slice::from_ref(&p0)).await.expect("committed"), [Some(Offset(1))]);
    drop(member);
    eventually("the group to be idle", PATIENCE, || async {
        let state = state().await;
        if state == Some(GroupState::Empty) { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await;
    kafka.commit_idle(&group, &[(p0.clone(), Offset(3).into())]).await.expect("commit");
    assert_eq!(committed(kafka, &group, &[p0]).await, [Some(3)]);
}

/// When its last member has left, a group takes commits as before.
pub async fn offsets_are_committed_after_the_last_member_left(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(1, &[]).await;
    let p0 = TopicPartition::new(topic.clone(), 0);
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    let (mut member, mut has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    wait_for_assignment(&mut [(member.as_mut(), &mut has)], &[1]).await;
    drop(member);
    kafka.commit(&group, &[(p0.clone(), Offset(3).into())]).await.expect("commit");
    assert_eq!(committed(kafka, &group, &[p0]).await, [Some(3)]);
}

/// Members share the partitions; when one goes, the others have them all. What was taken away is stopped.
pub async fn members_share_the_partitions(cluster: &dyn Cluster) {
    let topic = cluster.new_topic(4, &[]).await;
    let partitions: Vec<_> = (0..4).map(|number| TopicPartition::new(topic.clone(), number)).collect();
    let (kafka, group) = (cluster.kafka(), group_of(&topic));
    let (mut first, mut first_has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    wait_for_assignment(&mut [(first.as_mut(), &mut first_has)], &[4]).await;
    for partition in &partitions {
        first.start(partition, Offset(0)).await.expect("start");
    }
    let (mut second, mut second_has) = (join(kafka, &group, &topic).await, BTreeSet::new());
    wait_for_assignment(&mut [(first.as_mut(), &mut first_has), (second.as_mut(), &mut second_has)], &[2, 2]).await;
    assert!(first_has.is_disjoint(&second_has), "{first_has:?} {second_has:?}");

    // What was kept goes on where it was; what was taken away is not started.
    for partition in &partitions {
        cluster.append(partition, &records(1)).await;
        if !first_has.contains(&partition.partition.0) {
            first.start(partition, Offset(0)).await.expect("start");
        }
    }
    let kept: Vec<_> = partitions.iter().filter(|p| first_has.contains(&p.partition.0)).cloned().collect();
    let mut read: BTreeMap<TopicPartition, Vec<i64>> = BTreeMap::new();
    let since = Instant::now();
    while read.len() < kept.len() && since.elapsed() < PATIENCE {
        for fetched in next(first.as_mut()).await {
            if let Fetched::Records { partition, records, .. } = fetched {
                read.entry(partition).or_default().extend(records.iter().map(|record| record.offset.0));
            }
        }
    }
    assert_eq!(read, kept.into_iter().map(|partition| (partition, vec![0])).collect());

    drop(first);
    wait_for_assignment(&mut [(second.as_mut(), &mut second_has)], &[4]).await;
}
