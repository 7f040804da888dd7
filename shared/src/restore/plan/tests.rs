use super::*;

fn held() -> Vec<Arc<str>> {
    ["orders", "orders-old", "payments"].map(Into::into).to_vec()
}

/// Sources with their targets, and what is wrong.
type Resolved = (Vec<(String, String)>, Vec<(Kind, String)>);

fn resolved(text: &str) -> Resolved {
    let (jobs, findings) = resolve(&Plan::parse(text).unwrap(), &held());
    let jobs = jobs.iter().map(|job| (job.source.to_string(), job.target.to_string())).collect();
    (jobs, findings.into_iter().map(|finding| (finding.kind, finding.message)).collect())
}

fn kinds(text: &str) -> Vec<Kind> {
    resolved(text).1.into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn names_come_from_the_target_or_from_prefix_and_suffix() {
    let text = r#"
        prefix = "a-"
        suffix = "-z"
        [[topics]]
        source = "orders*"
        [[topics]]
        source = "payments"
        target = "money"
    "#;
    let expected = [("orders", "a-orders-z"), ("orders-old", "a-orders-old-z"), ("payments", "money")];
    let expected = expected.map(|(source, target)| (source.to_owned(), target.to_owned())).to_vec();
    assert_eq!(resolved(text), (expected, vec![]));
}

#[test]
fn a_moment_is_a_date_a_text_or_milliseconds() {
    let from = |text: &str| Plan::parse(&format!("from = {text}")).map(|plan| plan.from.unwrap().0);
    for text in ["2020-01-01T00:00:00Z", "\"2020-01-01T01:00:00+01:00\"", "1577836800000"] {
        assert_eq!(from(text), Ok(Millis(1_577_836_800_000)), "{text}");
    }
    assert!(from("\"yesterday\"").unwrap_err().contains("yesterday"));
    assert!(from("2020-01-01").is_err(), "a day has no time of day");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = r#"
        from = 200
        to = 200
        workers = 0
        [[topics]]
        source = "ordres"
        [[topics]]
        source = "orders*"
        target = "one"
        [[topics]]
        source = "payments"
        filter = "value ="
    "#;
    let expected = [Kind::Plan, Kind::ImpossibleRange, Kind::UnknownTopic, Kind::OverlappingTargets, Kind::Plan];
    assert_eq!(kinds(text), expected);
}

#[test]
fn a_target_has_one_source_and_is_none_itself() {
    let twice = "[[topics]]\nsource = \"orders\"\ntarget = \"x\"\n[[topics]]\nsource = \"payments\"\ntarget = \"x\"";
    assert_eq!(kinds(twice), [Kind::OverlappingTargets]);
    let source =
        "[[topics]]\nsource = \"orders\"\ntarget = \"payments\"\n[[topics]]\nsource = \"payments\"\ntarget = \"y\"";
    assert_eq!(kinds(source), [Kind::OverlappingTargets]);
    assert_eq!(kinds("[[topics]]\nsource = \"orders\"\ntarget = \"a b\""), [Kind::Plan]);
    assert_eq!(kinds("[[topics]]\nsource = \"orders\""), []);
}

#[test]
fn impossible_ranges_of_offsets_are_refused() {
    let of = |range: &str| kinds(&format!("[[topics]]\nsource = \"orders\"\npartitions = [{range}]"));
    assert_eq!(of("{ number = 0, from_offset = 5, until_offset = 5 }"), [Kind::ImpossibleRange]);
    assert_eq!(of("{ number = 0, from_offset = -1 }"), [Kind::ImpossibleRange]);
    assert_eq!(of("{ number = 0 }, { number = 0 }"), [Kind::ImpossibleRange]);
    assert_eq!(of("{ number = 0, from_offset = 5, until_offset = 6 }, { number = 1 }"), []);
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let error = Plan::parse("[[topics]]\nsource = \"orders\"\ntraget = \"x\"").unwrap_err();
    assert!(error.contains("traget"), "{error}");
}

#[test]
fn a_plan_is_the_same_as_json() {
    let plan = Plan::parse("from = 5\n[[topics]]\nsource = \"orders\"\npartitions = [{ number = 1 }]").unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}
