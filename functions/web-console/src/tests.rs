use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn ask(method: &str, target: &str) -> HttpResponse {
    handle(&HttpRequest { method: method.into(), target: target.into(), ..HttpRequest::default() })
}

fn header<'a>(response: &'a HttpResponse, name: &str) -> &'a str {
    response.headers.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
}

#[test]
fn every_file_is_served_with_its_type_and_a_policy_that_allows_nothing_inline() {
    for file in FILES {
        let response = ask("GET", file.path);
        assert_eq!((response.status, header(&response, "content-type")), (200, file.content_type), "{}", file.path);
        let policy = header(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        assert!(!response.body.is_empty() && header(&response, "x-content-type-options") == "nosniff");
    }
}

#[test]
fn nothing_else_is_served() {
    for target in ["/index.html", "/../Cargo.toml", "/views/", "//", "/main.js/"] {
        assert_eq!(ask("GET", target).status, 404, "{target}");
    }
    assert_eq!(ask("POST", "/").status, 405);
    assert_eq!((ask("HEAD", "/").status, ask("HEAD", "/").body.len()), (200, 0));
    assert_eq!(ask("GET", "/?x=1").status, 200);
}

#[test]
fn the_page_has_no_inline_script_or_style_and_asks_nobody_else() {
    for file in FILES.iter().filter(|file| file.content_type != JSON) {
        let content = file.content.replace("http://www.w3.org/", "");
        assert!(!content.contains("http://") && !content.contains("https://"), "{} names another host", file.path);
        assert!(!content.contains("innerHTML") && !content.contains("eval("), "{} makes text into markup", file.path);
    }
    let html = FILES[0].content;
    assert!(!html.contains("style=") && !html.contains("<style") && !html.contains(" on"), "something is inline");
    assert!(html.matches("<script").count() == html.matches("<script type=\"module\" src=").count());
}

#[test]
fn the_document_of_all_routes_says_of_a_push_what_the_gateway_takes() {
    let document: Value = serde_json::from_slice(&ask("GET", "/openapi.json").body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let fields = |schema: &Value| schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let (told, taken) = (&document["components"]["schemas"]["Push"], shared::metrics::push::schema());
    assert_eq!(fields(told), fields(&taken));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "servers") {
            assert!(operation["summary"].is_string() && operation["responses"]["200"].is_object(), "{method} {path}");
        }
    }
}

#[test]
fn every_module_that_a_module_imports_is_served() {
    for file in FILES.iter().filter(|file| file.content_type == SCRIPT) {
        let folder = &file.path[..=file.path.rfind('/').unwrap_or(0)];
        for line in file.content.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from ")) {
            let Some(name) = line.split('"').nth(1) else { continue };
            let path = match (name.strip_prefix("./"), name.strip_prefix("../")) {
                (Some(name), _) => format!("{folder}{name}"),
                (_, Some(name)) => format!("/{name}"),
                _ => panic!("{}: {line}", file.path),
            };
            assert!(FILES.iter().any(|file| file.path == path), "{} imports {path}", file.path);
        }
    }
}
