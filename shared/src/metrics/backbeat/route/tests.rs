use super::*;

fn ask(method: &str, target: &str) -> Result<Route, ErrorAnswer> {
    let locations = ["site1".to_owned(), "site2".to_owned()];
    route(Request { method, target, body: b"" }, &locations)
}

fn get(target: &str) -> Result<Route, ErrorAnswer> {
    ask("GET", target)
}

fn description(answer: Result<Route, ErrorAnswer>) -> String {
    answer.expect_err("an error answer").description
}

#[test]
fn both_prefixes_ask_the_same() {
    assert_eq!(get("/_/backbeat/api/metrics/crr/site1/backlog"), get("/_/metrics/crr/site1/backlog"));
    assert_eq!(description(get("/_/backbeat/api/nothing?a=b")), "path nothing?a=b does not exist");
    assert_eq!(description(get("/nothing?a=b")), "path /nothing?a=b does not exist");
}

#[test]
fn a_missing_or_empty_type_means_all_of_them() {
    let all = get("/_/metrics/crr/site1/all").unwrap();
    for target in
        ["/_/metrics/crr/site1", "/_/metrics/crr/site1/", "/_/metrics/crr/site1?versionId=1", "/_/metrics/crr/site1//"]
    {
        assert_eq!(get(target).as_ref(), Ok(&all), "{target}");
    }
    assert_eq!(all, Route::Site { locations: vec!["site1".into()], metrics: SiteMetric::ALL.to_vec() });
}

#[test]
fn all_locations_are_those_that_are_configured() {
    let Ok(Route::Site { locations, .. }) = get("/_/metrics/crr/all/backlog") else { panic!("a site route") };
    assert_eq!(locations, ["site1", "site2"]);
}

#[test]
fn segments_are_matched_raw() {
    for target in [
        "/_/metrics/crr/SITE1",
        "/_/metrics/crr/site%31",
        "/_/metrics/crr/site1/Backlog",
        "/_/Metrics/crr/site1",
        "/_/metrics/crr/__proto__/all",
    ] {
        assert_eq!(get(target).unwrap_err().status, 404, "{target}");
    }
}

#[test]
fn an_object_key_keeps_every_slash_and_percent_sign_and_the_version_is_decoded() {
    let object = |target| match get(target) {
        Ok(Route::Object { object, .. }) => (object.bucket, object.key, object.version_id),
        other => panic!("{other:?}"),
    };
    let own = |bucket: &str, key: &str, version: &str| (bucket.to_owned(), key.to_owned(), version.to_owned());
    assert_eq!(object("/_/metrics/crr/site1/progress/b/a//b/?versionId=v%201"), own("b", "a//b/", "v 1"));
    assert_eq!(object("/_/metrics/crr/site1/progress/b/a%2Fb?versionId=1&x=2&versionId=3"), own("b", "a%2Fb", "1,3"));
    assert_eq!(object("/_/metrics/crr/site1/throughput/b/k?versionId=%zz%ff"), own("b", "k", "%zz\u{fffd}"));
    assert_eq!(object("/_/metrics/crr/site1/progress//k?versionId=v"), own("", "k", "v"));
    assert_eq!(object("/_/metrics/crr/site1/progress/b/a:b:__proto__?versionId=v"), own("b", "a:b:__proto__", "v"));
}

#[test]
fn a_bucket_needs_a_key_and_a_version() {
    for tail in
        ["progress/b", "progress/b/", "progress/b/k", "progress/b/k?versionId=", "backlog/b", "progress/b?versionId=v"]
    {
        let expected = format!("must provide object key and version ID in route: metrics/crr/site1/{tail}");
        assert_eq!(description(get(&format!("/_/metrics/crr/site1/{tail}"))), expected);
    }
}

#[test]
fn object_figures_are_progress_and_throughput_of_one_location() {
    for tail in [
        "all/progress/b/k?versionId=v",
        "nowhere/progress/b/k?versionId=v",
        "site1/backlog/b/k?versionId=v",
        "site1/progress",
    ] {
        assert_eq!(
            description(get(&format!("/_/metrics/crr/{tail}"))),
            format!("path metrics/crr/{tail} does not exist")
        );
    }
}

#[test]
fn without_a_location_the_site_name_is_invalid() {
    for target in ["/_/metrics/crr", "/_/metrics/crr/", "/_/metrics/crr//backlog"] {
        assert_eq!(description(get(target)), "invalid site name provided", "{target}");
    }
    assert_eq!(description(get("/_/metrics/ingestion/all")), "path metrics/ingestion/all does not exist");
    assert_eq!(description(get("/_/metrics")), "path metrics does not exist");
}

#[test]
fn only_get_and_post_are_methods_except_delete_on_a_schedule() {
    for method in ["PUT", "PATCH", "HEAD", "OPTIONS", "DELETE"] {
        assert_eq!(ask(method, "/_/metrics/crr/all").unwrap_err().status, 405, "{method}");
        assert_eq!(ask(method, "/no/prefix").unwrap_err().status, 405, "{method}: the method is checked first");
    }
    assert_eq!(ask("POST", "/_/metrics/crr/all").unwrap_err().status, 404);
    let Ok(Route::Control { control, .. }) = ask("DELETE", "/_/crr/resume/site1/schedule") else { panic!("a route") };
    assert_eq!(control, Control::Unschedule(vec!["site1".into()]));
    assert_eq!(ask("DELETE", "/_/crr/resume/nowhere/schedule").unwrap_err().status, 404);
    assert_eq!(ask("DELETE", "/_/crr/resume/site1").unwrap_err().status, 405);
}

#[test]
fn healthcheck_and_monitoring_match_exactly() {
    for tail in ["healthcheck", "monitoring/metrics"] {
        assert!(matches!(get(&format!("/_/{tail}")), Ok(Route::Health | Route::Monitoring)));
        assert_eq!(ask("POST", &format!("/_/{tail}")).unwrap_err().status, 405);
        for more in ["/", "?x=1"] {
            assert_eq!(description(get(&format!("/_/{tail}{more}"))), format!("path {tail}{more} does not exist"));
        }
    }
}

#[test]
fn the_marker_of_the_failed_list_is_a_number() {
    for marker in ["", "abc", "-", "%20"] {
        assert_eq!(
            get(&format!("/_/crr/failed?marker={marker}")).unwrap_err(),
            ErrorAnswer::bad_marker(),
            "{marker:?}"
        );
    }
    let failed = |marker, locations: &[&str]| Control::Failed {
        marker,
        locations: locations.iter().map(|it| (*it).to_owned()).collect(),
    };
    let object = Control::FailedObject { bucket: "b".into(), key: "a//k".into(), version_id: "v 1".into() };
    for (target, expected) in [
        ("/_/crr/failed", failed(0, &["site1", "site2"])),
        ("/_/crr/failed?marker=12abc", failed(12, &["site1", "site2"])),
        ("/_/crr/failed/?marker=-1&sitename=site1", failed(0, &["site1"])),
        ("/_/crr/failed/b/a//k?versionId=v%201", object),
    ] {
        assert_eq!(control(ask("GET", target)), expected, "{target}");
    }
    assert_eq!(get("/_/crr/failed/b/k").unwrap_err().status, 404);
}

fn control(route: Result<Route, ErrorAnswer>) -> Control {
    match route {
        Ok(Route::Control { control, .. }) => control,
        other => panic!("a control route, not {other:?}"),
    }
}

#[test]
fn control_routes_name_a_location_or_mean_all() {
    let (all, one) = (vec!["site1".to_owned(), "site2".into()], vec!["site1".to_owned()]);
    for (method, tail, expected) in [
        ("POST", "crr/pause", Control::Pause(all.clone())),
        ("POST", "crr/pause/all", Control::Pause(all.clone())),
        ("POST", "crr/resume/site1", Control::Resume(one.clone())),
        ("GET", "crr/status", Control::Status(all.clone())),
        ("GET", "crr/resume/", Control::Resumes(all)),
        ("POST", "crr/resume/site1/schedule", Control::ResumeLater { locations: one, after_ms: 6 * 3_600_000 }),
    ] {
        assert_eq!(control(ask(method, &format!("/_/{tail}"))), expected, "{method} {tail}");
    }
    for (method, tail) in [("GET", "crr/pause"), ("POST", "crr/pause/nowhere"), ("GET", "crr"), ("GET", "crr/other")] {
        assert_eq!(ask(method, &format!("/_/{tail}")).unwrap_err().status, 404, "{method} {tail}");
    }
}

#[test]
fn a_schedule_is_of_hours() {
    let after = |body: &str| {
        let request = Request { method: "POST", target: "/_/crr/resume/site1/schedule", body: body.as_bytes() };
        route(request, &["site1".to_owned()]).map(|it| control(Ok(it)))
    };
    let later = |hours: i64| Ok(Control::ResumeLater { locations: vec!["site1".into()], after_ms: hours * 3_600_000 });
    assert_eq!((after(""), after("{}"), after(r#"{"hours":2}"#)), (later(6), later(6), later(2)));
    for body in ["[", r#"{"hours":0}"#, r#"{"hours":"x"}"#, r#"{"hours":-1}"#, r#"{"hours":1e300}"#] {
        assert_eq!(after(body).unwrap_err().status, 400, "{body}");
    }
}
