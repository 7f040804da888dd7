//! A table for people: columns as wide as they need, numbers to the right. On a terminal it is as wide as that at most: the
//! widest texts lose their middle then, so that a pipe and `--json` have them whole. Where that is not enough each row becomes
//! lines, a cell each.

use std::io::{IsTerminal, stdout};

/// No column becomes narrower than this to make a table fit.
const WIDTH_MIN: usize = 12;
const BETWEEN: usize = 2;
/// Stands in the place of what was left out.
const CUT: char = '…';

/// Lays out rows under their heads, on a terminal no wider than it is. A column whose cells all are numbers stands to the
/// right.
#[must_use]
pub fn layout<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let terminal = stdout().is_terminal().then(|| terminal_size::terminal_size_of(stdout())).flatten();
    laid_out(heads, rows, terminal.map(|(terminal_size::Width(width), _)| width.into()))
}

fn laid_out<const N: usize>(heads: [&str; N], rows: &[[String; N]], width_max: Option<usize>) -> String {
    let width = |column: usize| rows.iter().map(|row| length(&row[column])).chain([heads[column].len()]).max();
    let right: [bool; N] = std::array::from_fn(|column| rows.iter().all(|row| is_number(&row[column])));
    let mut widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    if let Some(width_max) = width_max {
        narrow(&mut widths, &right, width_max);
        if sum(&widths) > width_max && !rows.is_empty() {
            return rows.iter().map(|row| lines(&heads, row, width_max)).collect::<Vec<_>>().join("\n");
        }
    }
    let line = |cells: [&str; N]| {
        let cells = (0..N).map(|i| pad(&cut(cells[i], widths[i]), widths[i], right[i]));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|i| row[i].as_str())));
    std::iter::once(line(heads)).chain(body).collect()
}

/// A row as lines: each cell behind its head. Cells without a word are left out.
fn lines<const N: usize>(heads: &[&str; N], row: &[String; N], width_max: usize) -> String {
    let head_width = heads.iter().map(|head| head.len()).max().unwrap_or(0);
    let room = width_max.saturating_sub(head_width + BETWEEN).max(WIDTH_MIN);
    let cells = heads.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
    cells.map(|(head, cell)| format!("{head:<head_width$}  {}\n", cut(cell, room))).collect()
}

/// Takes from the widest texts until all columns fit, or can give no more. Numbers stay whole.
fn narrow<const N: usize>(widths: &mut [usize; N], is_number: &[bool; N], width_max: usize) {
    while sum(widths) > width_max {
        let texts = widths.iter_mut().zip(is_number).filter(|(width, is_number)| !**is_number && **width > WIDTH_MIN);
        let Some((widest, _)) = texts.max_by_key(|(width, _)| **width) else { return };
        *widest -= 1;
    }
}

/// The width of the table.
fn sum<const N: usize>(widths: &[usize; N]) -> usize {
    widths.iter().sum::<usize>() + BETWEEN * N.saturating_sub(1)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The beginning and the end of a text that is too wide. Nothing in it steers a terminal: the name of a consumer group may be
/// any text.
fn cut(text: &str, width: usize) -> String {
    let visible = |sign: char| if sign.is_control() { char::REPLACEMENT_CHARACTER } else { sign };
    let signs: Vec<char> = text.chars().map(visible).collect();
    if signs.len() <= width {
        return signs.iter().collect();
    }
    let end = width.saturating_sub(1) / 2;
    let begin = width.saturating_sub(1) - end;
    signs[..begin].iter().chain([&CUT]).chain(&signs[signs.len() - end..]).collect()
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
    fn a_table_that_is_too_wide_loses_the_middle_of_its_widest_texts_and_no_digit() {
        let key = "main/a-topic-with-a-long-name/1/0/00000000000000000005.kan".to_owned();
        let rows = [[key, "1234567".to_owned(), "short".to_owned()]];
        let table = laid_out(["KEY", "RECORDS", "STATE"], &rows, Some(40));
        assert_eq!(table.lines().nth(1), Some("main/a-topic…0000005.kan  1234567  short"));
        assert!(table.lines().all(|line| line.chars().count() <= 40), "{table}");
        assert_eq!(laid_out(["KEY", "RECORDS", "STATE"], &rows, None), layout(["KEY", "RECORDS", "STATE"], &rows));
    }

    #[test]
    fn a_table_that_cannot_fit_has_a_line_for_each_cell_of_a_row() {
        let row = |topic: &str, state: &str| [topic.to_owned(), "1234567".to_owned(), state.to_owned()];
        let rows = [row("a-topic-with-a-long-name", "paused"), row("orders", "")];
        let table = laid_out(["TOPIC", "RECORDS", "STATE"], &rows, Some(22));
        let wanted = "TOPIC    a-topi…g-name\nRECORDS  1234567\nSTATE    paused\n\nTOPIC    orders\nRECORDS  1234567\n";
        assert_eq!(table, wanted);
        assert!(table.lines().all(|line| line.chars().count() <= 22), "{table}");
        let nothing = laid_out::<3>(["TOPIC", "RECORDS", "STATE"], &[], Some(5));
        assert_eq!(nothing, "TOPIC  RECORDS  STATE\n", "heads alone stay a line");
    }

    #[test]
    fn a_name_that_would_steer_a_terminal_is_shown_without_that() {
        let rows = [["\u{1b}[31mred".to_owned()]];
        assert_eq!(laid_out(["GROUP"], &rows, Some(40)), "GROUP\n\u{fffd}[31mred\n");
    }

    #[test]
    fn no_rows_are_the_heads_alone() {
        assert_eq!(layout::<1>(["TOPIC"], &[]), "TOPIC\n");
    }
}
