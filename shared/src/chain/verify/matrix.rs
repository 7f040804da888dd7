//! Which damage is found how: what `highwater verify --matrix` prints, and what the tests do to a backup row by row.

use serde::Serialize;

use super::Kind;

/// Something that can happen to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each row of the matrix says in words what its damage is")]
pub enum Damage {
    FirstMissing,
    MiddleMissing,
    LastMissing,
    LastMissingUnknown,
    ChainMissing,
    TopicMissing,
    OlderVersion,
    OlderLast,
    Truncated,
    Extended,
    FlippedInBody,
    FlippedInFooter,
    Swapped,
    ForeignObject,
    OtherPartition,
    OtherTopic,
    OtherCluster,
    OtherBackup,
    OverlappingSegment,
    OtherContentOldFooter,
    LyingFooter,
    OtherContent,
    OtherContentLast,
    OtherContentLastUnknown,
    FloorMissing,
    FloorOffChain,
    FloorMiscounts,
    FloorDamaged,
    ClaimMissing,
    ClaimDamaged,
    OwnerMissing,
    BackupMissing,
    FiguresMissing,
    FiguresBehind,
    FiguresWrong,
    FiguresAhead,
}

/// One kind of damage, and as what each mode reports it; nothing: it does not see it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Row {
    /// What happened.
    pub damage: Damage,
    /// The same in words.
    pub what: &'static str,
    /// What `verify` reports.
    pub quick: &'static [Kind],
    /// What `verify --deep` reports.
    pub deep: &'static [Kind],
}

const fn both(damage: Damage, what: &'static str, found: &'static [Kind]) -> Row {
    Row { damage, what, quick: found, deep: found }
}

const fn deep(damage: Damage, what: &'static str, deep: &'static [Kind]) -> Row {
    Row { damage, what, quick: &[], deep }
}

/// Every damage that the tests do.
pub const MATRIX: &[Row] = &[
    both(Damage::FirstMissing, "a chain's first segment is missing", &[Kind::MissingRange]),
    both(Damage::MiddleMissing, "a segment in the middle is missing", &[Kind::MissingRange]),
    both(Damage::LastMissing, "the last segment is missing; Kafka's group or Redis knows of it", &[Kind::MissingTail]),
    both(Damage::LastMissingUnknown, "the last segment is missing, and neither knows of it", &[]),
    both(Damage::ChainMissing, "a whole chain is missing; Kafka's group or Redis knows of it", &[Kind::MissingTail]),
    both(Damage::TopicMissing, "a whole topic is missing; Kafka's group or Redis knows of it", &[Kind::MissingTail]),
    both(Damage::OlderVersion, "a segment was replaced by an older, shorter one", &[Kind::MissingRange]),
    both(
        Damage::OlderLast,
        "the last segment was replaced by a shorter one; Kafka or Redis knows",
        &[Kind::MissingTail],
    ),
    both(Damage::Truncated, "a segment was cut off", &[Kind::Damaged]),
    both(Damage::Extended, "bytes were added to a segment", &[Kind::Damaged]),
    deep(Damage::FlippedInBody, "a bit flipped in the first magic, or in any page of any column", &[Kind::Damaged]),
    both(
        Damage::FlippedInFooter,
        "a bit flipped in the footer, its metadata, checksum or length, or the last magic",
        &[Kind::Damaged],
    ),
    both(Damage::Swapped, "two segments were swapped", &[Kind::Foreign]),
    both(Damage::ForeignObject, "an object that is none of a backup's", &[Kind::Foreign]),
    both(Damage::OtherPartition, "a segment of another partition in the place of one", &[Kind::Foreign]),
    both(Damage::OtherTopic, "a segment of another topic in the place of one", &[Kind::Foreign]),
    both(Damage::OtherCluster, "a segment of another cluster in the place of one", &[Kind::Foreign]),
    both(Damage::OtherBackup, "a segment of another backup in the place of one", &[Kind::Foreign]),
    both(Damage::OverlappingSegment, "one segment more, within the range of another", &[Kind::Overlap]),
    deep(
        Damage::OtherContentOldFooter,
        "other records under what the footer said before, checksums made anew",
        &[Kind::Content],
    ),
    Row {
        damage: Damage::LyingFooter,
        what: "a footer that was made anew and counts wrongly",
        quick: &[Kind::Totals],
        deep: &[Kind::Totals, Kind::Content],
    },
    both(Damage::OtherContent, "a segment encoded anew with other records, footer consistent", &[Kind::Digest]),
    both(Damage::OtherContentLast, "the same with the last segment; Redis has its digest", &[Kind::Digest]),
    both(Damage::OtherContentLastUnknown, "the same with the last segment, and Redis has nothing", &[]),
    both(Damage::FloorMissing, "the floor of a chain that has expired segments is missing", &[Kind::MissingRange]),
    both(Damage::FloorOffChain, "a floor where no segment begins", &[Kind::Floor]),
    both(Damage::FloorMiscounts, "a floor that counts wrongly", &[Kind::Totals]),
    both(Damage::FloorDamaged, "a floor that cannot be read", &[Kind::Damaged]),
    both(Damage::ClaimMissing, "the claim of an incarnation is missing", &[Kind::Foreign]),
    both(Damage::ClaimDamaged, "the claim of an incarnation cannot be read", &[Kind::Damaged, Kind::Foreign]),
    both(Damage::OwnerMissing, "the owner of the backup is missing", &[Kind::Damaged]),
    both(Damage::BackupMissing, "a configured backup is missing as a whole; Redis knows of it", &[Kind::MissingTail]),
    both(Damage::FiguresMissing, "Redis has no head of a chain", &[Kind::Metrics]),
    both(Damage::FiguresBehind, "Redis has an older head of a chain", &[Kind::Metrics]),
    both(Damage::FiguresWrong, "Redis has other counts for a chain", &[Kind::Metrics]),
    both(Damage::FiguresAhead, "Redis has a head beyond the chain's end", &[Kind::MissingTail]),
];

/// Something that who can write to the bucket may do to a sealed backup. They have all of this code, and no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each row of the matrix says in words what the attack is")]
pub enum Attack {
    EncodedAnew,
    EncodedAnewOwnKey,
    EncodedAnewForgedSeals,
    Stripped,
    FooterChanged,
    PagesChanged,
    FloorRaised,
    FloorOfAnother,
    FloorSetBack,
    TailCut,
    TailCutUnknown,
    TailCutExcused,
}

/// One attack, and as what each mode reports it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AttackRow {
    /// What is done.
    pub attack: Attack,
    /// The same in words.
    pub what: &'static str,
    /// What `verify --deep` reports without a key.
    pub keyless: &'static [Kind],
    /// What `verify` reports with the key.
    pub quick: &'static [Kind],
    /// What `verify --deep` reports with the key.
    pub deep: &'static [Kind],
}

const fn attack(attack: Attack, what: &'static str, keyless: &'static [Kind], found: &'static [Kind]) -> AttackRow {
    AttackRow { attack, what, keyless, quick: found, deep: found }
}

/// Every attack that the tests play.
pub const ATTACKS: &[AttackRow] = &[
    attack(Attack::EncodedAnew, "a segment and all behind it encoded anew, consistently", &[], &[Kind::Unsealed]),
    attack(Attack::EncodedAnewOwnKey, "the same, sealed with a key of the attacker's", &[], &[Kind::Unsealed]),
    attack(Attack::EncodedAnewForgedSeals, "the same, with seals that claim the right key", &[], &[Kind::Forged]),
    attack(Attack::Stripped, "every seal of a chain taken off, all else as it was", &[], &[Kind::Unsealed]),
    attack(Attack::FooterChanged, "the date of writing changed in a sealed footer", &[], &[Kind::Forged]),
    AttackRow {
        attack: Attack::PagesChanged,
        what: "pages changed before a sealed footer",
        keyless: &[Kind::Damaged],
        quick: &[],
        deep: &[Kind::Damaged],
    },
    attack(Attack::FloorRaised, "the floor raised, and what is below it deleted", &[], &[Kind::Unsealed]),
    attack(Attack::FloorOfAnother, "the same with the sealed floor of another chain", &[], &[Kind::Forged]),
    attack(Attack::FloorSetBack, "an earlier sealed floor put back", &[Kind::Floor], &[Kind::Floor]),
    attack(
        Attack::TailCut,
        "the tail cut off; Kafka's group or Redis knows of it",
        &[Kind::MissingTail],
        &[Kind::MissingTail],
    ),
    attack(
        Attack::TailCutExcused,
        "the tail cut off, and that accepted in the backup's name",
        &[],
        &[Kind::MissingTail, Kind::Unsealed],
    ),
    attack(Attack::TailCutUnknown, "the tail cut off, and neither knows of it", &[], &[]),
];
