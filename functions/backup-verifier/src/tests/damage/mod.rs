//! Every row of the matrix is done to a backup, and each mode finds exactly what the row says.

mod attacks;
mod figures;
mod matrix;
mod repairs;
mod world;

use std::collections::BTreeSet;

use shared::chain::verify::FindingKind;

use self::{
    matrix::{MATRIX, Row},
    world::{Whole, World},
};
use super::{How, verified};
use crate::Verified;

/// What a mode found, each kind once, and where.
async fn found(world: &World<'_>, how: &How) -> Verified {
    verified(&world.objects, None, &world.witnesses, how).await.unwrap()
}

/// Its name as JSON has it.
fn name_of(kind: FindingKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

fn names(kinds: impl IntoIterator<Item = FindingKind>) -> BTreeSet<String> {
    kinds.into_iter().map(name_of).collect()
}

async fn check(row: &Row, variant: usize, world: &World<'_>) {
    for (deep, expected) in [(false, row.quick), (true, row.deep)] {
        let verified = found(world, &How::new(deep)).await;
        let findings: Vec<_> = verified.findings().collect();
        let kinds = names(findings.iter().map(|finding| finding.kind));
        let told = format!("{:?}, variant {variant}, deep {deep}: {findings:#?}", row.damage);
        assert_eq!(kinds, names(expected.iter().copied()), "{told}");
        assert_eq!(verified.good, expected.is_empty(), "{told}");
        assert!(findings.iter().all(|finding| finding.key.starts_with("main/")), "{told}");
    }
}

#[tokio::test]
async fn an_undamaged_backup_is_good_in_every_mode() {
    let whole = Whole::make().await;
    let world = World::of(&whole).await;
    for deep in [false, true] {
        let verified = found(&world, &How::new(deep)).await;
        assert!(verified.good, "{:#?}", verified.findings().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn each_mode_finds_exactly_the_damage_that_the_matrix_says() {
    let whole = Whole::make().await;
    for row in MATRIX {
        for variant in 0.. {
            let mut world = World::of(&whole).await;
            if !world.damage(row.damage, variant).await {
                assert!(variant > 0, "{:?} is not done", row.damage);
                break;
            }
            check(row, variant, &world).await;
        }
    }
}
