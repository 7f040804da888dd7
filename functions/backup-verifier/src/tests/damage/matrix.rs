//! Which damage is found how: the tables of `docs/verify.md`, and what the tests do to a backup row by row.

use shared::chain::verify::FindingKind;

use super::name_of;

/// Something that can happen to a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What happened.
    pub damage: Damage,
    /// The same in words.
    pub what: &'static str,
    /// What `verify` reports.
    pub quick: &'static [FindingKind],
    /// What `verify --deep` reports.
    pub deep: &'static [FindingKind],
}

const fn both(damage: Damage, what: &'static str, found: &'static [FindingKind]) -> Row {
    Row { damage, what, quick: found, deep: found }
}

const fn deep(damage: Damage, what: &'static str, deep: &'static [FindingKind]) -> Row {
    Row { damage, what, quick: &[], deep }
}

/// Every damage that the tests do.
pub const MATRIX: &[Row] = &[
    both(Damage::FirstMissing, "a chain's first segment is missing", &[FindingKind::MissingRange]),
    both(Damage::MiddleMissing, "a segment in the middle is missing", &[FindingKind::MissingRange]),
    both(
        Damage::LastMissing,
        "the last segment is missing; Kafka's group or Redis knows of it",
        &[FindingKind::MissingTail],
    ),
    both(Damage::LastMissingUnknown, "the last segment is missing, and neither knows of it", &[]),
    both(
        Damage::ChainMissing,
        "a whole chain is missing; Kafka's group or Redis knows of it",
        &[FindingKind::MissingTail],
    ),
    both(
        Damage::TopicMissing,
        "a whole topic is missing; Kafka's group or Redis knows of it",
        &[FindingKind::MissingTail],
    ),
    both(Damage::OlderVersion, "a segment was replaced by an older, shorter one", &[FindingKind::MissingRange]),
    both(
        Damage::OlderLast,
        "the last segment was replaced by a shorter one; Kafka or Redis knows",
        &[FindingKind::MissingTail],
    ),
    both(Damage::Truncated, "a segment was cut off", &[FindingKind::Damaged]),
    both(Damage::Extended, "bytes were added to a segment", &[FindingKind::Damaged]),
    deep(
        Damage::FlippedInBody,
        "a bit flipped in the first magic, or in any page of any column",
        &[FindingKind::Damaged],
    ),
    both(
        Damage::FlippedInFooter,
        "a bit flipped in the footer, its metadata, checksum or length, or the last magic",
        &[FindingKind::Damaged],
    ),
    both(Damage::Swapped, "two segments were swapped", &[FindingKind::Foreign]),
    both(Damage::ForeignObject, "an object that is none of a backup's", &[FindingKind::Foreign]),
    both(Damage::OtherPartition, "a segment of another partition in the place of one", &[FindingKind::Foreign]),
    both(Damage::OtherTopic, "a segment of another topic in the place of one", &[FindingKind::Foreign]),
    both(Damage::OtherCluster, "a segment of another cluster in the place of one", &[FindingKind::Foreign]),
    both(Damage::OtherBackup, "a segment of another backup in the place of one", &[FindingKind::Foreign]),
    both(Damage::OverlappingSegment, "one segment more, within the range of another", &[FindingKind::Overlap]),
    deep(
        Damage::OtherContentOldFooter,
        "other records under what the footer said before, checksums made anew",
        &[FindingKind::Content],
    ),
    Row {
        damage: Damage::LyingFooter,
        what: "a footer that was made anew and counts wrongly",
        quick: &[FindingKind::Totals],
        deep: &[FindingKind::Totals, FindingKind::Content],
    },
    both(Damage::OtherContent, "a segment encoded anew with other records, footer consistent", &[FindingKind::Digest]),
    both(Damage::OtherContentLast, "the same with the last segment; Redis has its digest", &[FindingKind::Digest]),
    both(Damage::OtherContentLastUnknown, "the same with the last segment, and Redis has nothing", &[]),
    both(
        Damage::FloorMissing,
        "the floor of a chain that has expired segments is missing",
        &[FindingKind::MissingRange],
    ),
    both(Damage::FloorOffChain, "a floor where no segment begins", &[FindingKind::Floor]),
    both(Damage::FloorMiscounts, "a floor that counts wrongly", &[FindingKind::Totals]),
    both(Damage::FloorDamaged, "a floor that cannot be read", &[FindingKind::Damaged]),
    both(Damage::ClaimMissing, "the claim of an incarnation is missing", &[FindingKind::Foreign]),
    both(
        Damage::ClaimDamaged,
        "the claim of an incarnation cannot be read",
        &[FindingKind::Damaged, FindingKind::Foreign],
    ),
    both(Damage::OwnerMissing, "the owner of the backup is missing", &[FindingKind::Damaged]),
    both(
        Damage::BackupMissing,
        "a configured backup is missing as a whole; Redis knows of it",
        &[FindingKind::MissingTail],
    ),
    both(Damage::FiguresMissing, "Redis has no head of a chain", &[FindingKind::Metrics]),
    both(Damage::FiguresBehind, "Redis has an older head of a chain", &[FindingKind::Metrics]),
    both(Damage::FiguresWrong, "Redis has other counts for a chain", &[FindingKind::Metrics]),
    both(Damage::FiguresAhead, "Redis has a head beyond the chain's end", &[FindingKind::MissingTail]),
];

/// Something that who can write to the bucket may do to a sealed backup. They have all of this code, and no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy)]
pub struct AttackRow {
    /// What is done.
    pub attack: Attack,
    /// The same in words.
    pub what: &'static str,
    /// What `verify --deep` reports without a key.
    pub keyless: &'static [FindingKind],
    /// What `verify` reports with the key.
    pub quick: &'static [FindingKind],
    /// What `verify --deep` reports with the key.
    pub deep: &'static [FindingKind],
}

const fn attack(
    attack: Attack,
    what: &'static str,
    keyless: &'static [FindingKind],
    found: &'static [FindingKind],
) -> AttackRow {
    AttackRow { attack, what, keyless, quick: found, deep: found }
}

/// Every attack that the tests play.
pub const ATTACKS: &[AttackRow] = &[
    attack(
        Attack::EncodedAnew,
        "a segment and all behind it encoded anew, consistently",
        &[],
        &[FindingKind::Unsealed],
    ),
    attack(Attack::EncodedAnewOwnKey, "the same, sealed with a key of the attacker's", &[], &[FindingKind::Unsealed]),
    attack(
        Attack::EncodedAnewForgedSeals,
        "the same, with seals that claim the right key",
        &[],
        &[FindingKind::Forged],
    ),
    attack(Attack::Stripped, "every seal of a chain taken off, all else as it was", &[], &[FindingKind::Unsealed]),
    attack(Attack::FooterChanged, "the date of writing changed in a sealed footer", &[], &[FindingKind::Forged]),
    AttackRow {
        attack: Attack::PagesChanged,
        what: "pages changed before a sealed footer",
        keyless: &[FindingKind::Damaged],
        quick: &[],
        deep: &[FindingKind::Damaged],
    },
    attack(Attack::FloorRaised, "the floor raised, and what is below it deleted", &[], &[FindingKind::Unsealed]),
    attack(Attack::FloorOfAnother, "the same with the sealed floor of another chain", &[], &[FindingKind::Forged]),
    attack(Attack::FloorSetBack, "an earlier sealed floor put back", &[FindingKind::Floor], &[FindingKind::Floor]),
    attack(
        Attack::TailCut,
        "the tail cut off; Kafka's group or Redis knows of it",
        &[FindingKind::MissingTail],
        &[FindingKind::MissingTail],
    ),
    attack(
        Attack::TailCutExcused,
        "the tail cut off, and that accepted in the backup's name",
        &[],
        &[FindingKind::MissingTail, FindingKind::Unsealed],
    ),
    attack(Attack::TailCutUnknown, "the tail cut off, and neither knows of it", &[], &[]),
];

const PAGE: &str = include_str!("../../../../../docs/verify.md");

/// A table as Markdown has it.
fn markdown(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    std::iter::once(line(&head)).chain([rule]).chain(rows.map(|row| line(&row))).collect()
}

fn cell(kinds: &[FindingKind]) -> String {
    match kinds {
        [] => "not seen".to_owned(),
        kinds => kinds.iter().map(|kind| format!("`{}`", name_of(*kind))).collect::<Vec<_>>().join(", "),
    }
}

#[test]
fn the_page_about_verify_has_the_table_of_damage_that_the_tests_do() {
    let rows = MATRIX.iter().map(|row| vec![row.what.to_owned(), cell(row.quick), cell(row.deep)]);
    let table = markdown(&["damage", "`verify`", "`verify --deep`"], rows);
    assert!(PAGE.contains(&table), "docs/verify.md needs this table:\n{table}");
}

#[test]
fn the_page_about_verify_has_the_table_of_attacks_that_the_tests_play() {
    let rows = ATTACKS.iter().map(|row| vec![row.what.to_owned(), cell(row.keyless), cell(row.quick), cell(row.deep)]);
    let heads =
        ["attack on a sealed backup", "`--deep` without the key", "`verify` with the key", "`--deep` with the key"];
    let table = markdown(&heads, rows);
    assert!(PAGE.contains(&table), "docs/verify.md needs this table:\n{table}");
}
