//! A table for people: columns as wide as they need, numbers to the right.

/// Lays out rows under their heads. A column whose cells all are numbers stands to the right.
#[must_use]
pub fn layout<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).chain([heads[column].len()]).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let right: [bool; N] = std::array::from_fn(|column| rows.iter().all(|row| is_number(&row[column])));
    let line = |cells: [&str; N]| {
        let cells = (0..N).map(|i| pad(cells[i], widths[i], right[i]));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|i| row[i].as_str())));
    std::iter::once(line(heads)).chain(body).collect()
}

fn pad(text: &str, width: usize, right: bool) -> String {
    if right { format!("{text:>width$}") } else { format!("{text:<width$}") }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let rows = [["orders".to_owned(), "7".to_owned()], ["pay".to_owned(), "1234".to_owned()]];
        assert_eq!(layout(["TOPIC", "RECORDS"], &rows), "TOPIC   RECORDS\norders        7\npay        1234\n");
    }

    #[test]
    fn no_rows_are_the_heads_alone() {
        assert_eq!(layout::<1>(["TOPIC"], &[]), "TOPIC\n");
    }
}
