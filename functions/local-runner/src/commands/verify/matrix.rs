//! `highwater verify --matrix`: which damage is found how.

use serde::Serialize;
use shared::chain::verify::{
    Kind,
    matrix::{MATRIX, Row},
};

use super::report::name_of;
use crate::output::{Report, table};

/// The matrix as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    rows: &'static [Row],
}

impl Matrix {
    pub fn all() -> Self {
        Matrix { rows: MATRIX }
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
        table::layout(["DAMAGE", "VERIFY", "VERIFY --DEEP"], &self.rows.iter().map(row).collect::<Vec<_>>())
    }
}
