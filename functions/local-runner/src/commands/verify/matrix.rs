//! `highwater verify --matrix`: which damage is found how.

use serde::Serialize;
use shared::chain::verify::{
    Kind,
    matrix::{ATTACKS, AttackRow, MATRIX, Row},
};

use super::report::name_of;
use crate::output::{Report, table};

/// The matrix as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    rows: &'static [Row],
    attacks: &'static [AttackRow],
}

impl Matrix {
    pub fn all() -> Self {
        Matrix { rows: MATRIX, attacks: ATTACKS }
    }
}

fn cell(kinds: &[Kind]) -> String {
    match kinds {
        [] => "not seen".to_owned(),
        kinds => kinds.iter().map(|kind| name_of(*kind)).collect::<Vec<_>>().join(", "),
    }
}

impl Report for Matrix {
    const SCHEMA: &'static str = "highwater.verify-matrix.v1";

    fn text(&self) -> String {
        let row = |row: &Row| [row.what.to_owned(), cell(row.quick), cell(row.deep)];
        let damage =
            table::layout(["DAMAGE", "VERIFY", "VERIFY --DEEP"], &self.rows.iter().map(row).collect::<Vec<_>>());
        let row = |row: &AttackRow| [row.what.to_owned(), cell(row.keyless), cell(row.quick), cell(row.deep)];
        let heads = ["ATTACK ON A SEALED BACKUP", "--DEEP WITHOUT KEY", "VERIFY WITH KEY", "--DEEP WITH KEY"];
        let attacks = table::layout(heads, &self.attacks.iter().map(row).collect::<Vec<_>>());
        format!("{damage}\n{attacks}")
    }
}
