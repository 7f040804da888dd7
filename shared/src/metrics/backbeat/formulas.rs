//! Backbeat's formulas, on IEEE doubles as the original computes them.
//!
//! `c[i]` is a counter in the interval i back: 0 is the current, partial one. A missing one is 0.

use super::super::number;

/// Throughput and generation A's backlog look this far back, in seconds, whatever the window is.
pub const SHORT_WINDOW_S: u32 = 900;

/// The sum of the latest intervals: completions and failures of a window.
/// Source: A and B, completions and failures: `c[0] + ... + c[n-1]`, n = window / interval.
#[must_use]
pub fn sum(counts: &[f64]) -> f64 {
    counts.iter().fold(0.0, |sum, count| sum + count)
}

/// Units per second over the short window. `counts` holds one interval more than the window has; of the last one counts
/// the part that the current interval has not yet pushed out of the window.
/// Source: A: `(c[0] + c[1] + c[2] + (300 - d) / 300 * c[3]) / 900`, d = seconds since the current interval began, to the
/// millisecond.
#[must_use]
pub fn throughput(counts: &[f64], since_interval_began_ms: i64, interval_ms: i64) -> f64 {
    let Some((last, whole)) = counts.split_last() else { return 0.0 };
    let interval_s = interval_ms as f64 / 1_000.0;
    let d = since_interval_began_ms as f64 / 1_000.0;
    let total = sum(whole) + (interval_s - d) / interval_s * last;
    total / (interval_s * whole.len() as f64)
}

/// What of it is not done, not clamped. Failures stay in it.
/// Source: A, backlog: ops - opsdone over the latest three intervals, bytes likewise.
#[must_use]
pub fn open(queued: &[f64], done: &[f64]) -> f64 {
    sum(queued) - sum(done)
}

/// A backlog is never shown below zero; it is clamped after the locations were added up. Source: A and B, backlog.
#[must_use]
pub fn clamp(backlog: f64) -> f64 {
    if backlog < 0.0 { 0.0 } else { backlog }
}

/// How much of an object is replicated, as the answer's text: no decimals, can pass 100. Source: A, object progress.
#[must_use]
pub fn percent(done: f64, total: f64) -> String {
    let percent = if total == 0.0 { 0.0 } else { done / total * 100.0 };
    format!("{}%", number::to_fixed(percent, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_takes_of_the_oldest_interval_what_the_current_one_has_not_pushed_out() {
        let counts = [900.0, 1800.0, 2700.0, 3600.0];
        assert_eq!(number::to_fixed(throughput(&counts, 100_000, 300_000), 2), "8.67");
        assert_eq!(throughput(&counts, 0, 300_000), 10.0);
        assert_eq!(throughput(&[], 0, 300_000), 0.0);
    }

    #[test]
    fn percent_rounds_ties_up_and_can_pass_a_hundred() {
        let cases =
            [(3.0, 4.0, "75%"), (1.0, 3.0, "33%"), (1.0, 200.0, "1%"), (150.0, 100.0, "150%"), (5.0, 0.0, "0%")];
        for (done, total, shown) in cases {
            assert_eq!(percent(done, total), shown);
        }
    }

    #[test]
    fn a_negative_backlog_is_zero() {
        assert_eq!(clamp(open(&[3.0], &[5.0])), 0.0);
        assert_eq!(clamp(open(&[5.0, 1.0], &[3.0])), 3.0);
    }
}
