//! A page of figures read back, for whoever passes them on.

use std::collections::BTreeMap;

/// All series of one name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// What it means.
    pub help: String,
    /// Whether it only grows. The parts of a histogram do.
    pub is_counter: bool,
    /// Labels and value of each series.
    pub series: Vec<(Vec<(String, String)>, f64)>,
}

/// The series of a page of ours by their names; a line that is none is passed over.
#[must_use]
pub fn read(page: &str) -> BTreeMap<String, Shown> {
    let (mut helps, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let mut all = BTreeMap::<String, Shown>::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kinds.insert(name, kind);
        } else if let Some((name, labels, value)) = series(line) {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .find(|family| kinds.get(family) == Some(&"histogram"))
                .unwrap_or(name);
            let shown = all.entry(name.to_owned()).or_insert_with(|| Shown {
                help: helps.get(family).copied().unwrap_or_default().to_owned(),
                is_counter: kinds.get(family).is_some_and(|kind| matches!(*kind, "counter" | "histogram")),
                series: vec![],
            });
            shown.series.push((labels, value));
        }
    }
    all
}

type Series<'a> = (&'a str, Vec<(String, String)>, f64);

fn series(line: &str) -> Option<Series<'_>> {
    let (head, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
    let (name, labels) = match head.split_once('{') {
        Some((name, rest)) => (name, self::labels(rest.strip_suffix('}')?)?),
        None => (head, vec![]),
    };
    Some((name, labels, value.parse().ok()?))
}

fn labels(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = vec![];
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (mut value, mut signs) = (String::new(), rest.char_indices());
        let end = loop {
            match signs.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(Some(signs.next()?.1).filter(|sign| *sign != 'n').unwrap_or('\n')),
                (_, sign) => value.push(sign),
            }
        };
        labels.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_values_and_kinds_come_back_as_they_were() {
        let page = "# HELP a_total what it is\n# TYPE a_total counter\na_total{topic=\"q\\\" b\\\\ n\\n,\",partition=\"0\"} 7\n\
                    # HELP b gauge\n# TYPE b gauge\nb +Inf\n\
                    # HELP h took\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 1.5\nh_count 3\n\njunk\njunk{ 1\n";
        let all = read(page);
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["a_total", "b", "h_bucket", "h_count", "h_sum"]);
        let labels = vec![("topic".to_owned(), "q\" b\\ n\n,".to_owned()), ("partition".to_owned(), "0".to_owned())];
        assert_eq!(all["a_total"], Shown { help: "what it is".into(), is_counter: true, series: vec![(labels, 7.0)] });
        assert_eq!((all["b"].is_counter, &all["b"].series[..]), (false, &[(vec![], f64::INFINITY)][..]));
        assert!(all["h_bucket"].is_counter && all["h_sum"].help == "took");
    }
}
