//! What is let in, and what is not.

use super::*;
use crate::config::Draft;

const TOKEN: &str = "0123456789abcdef";

fn settings(text: &str) -> ListenSettings {
    Draft::new(&format!("[listen]\n{text}"), &Default::default()).unwrap().settings().unwrap().listen
}

fn guard(at: &str, text: &str) -> Guard {
    let address = at.replace("backup.internal", "10.0.0.5").parse().unwrap();
    Guard::of_listener(&settings(text), &Listen::At(at.to_owned()), address)
}

fn of_host(host: &str) -> Sender {
    Sender { hosts: vec![host.to_owned()], client: Some("127.0.0.1".parse().unwrap()), ..Sender::default() }
}

fn with_token(token: &str) -> Sender {
    Sender { authorization: Some(Secret::new(format!("Bearer {token}"))), ..of_host("10.0.0.5:8900") }
}

#[test]
fn a_listener_answers_to_addresses_localhost_and_its_own_name() {
    let guard = guard("backup.internal:8900", "allowed_hosts = [\"*.example.org\", \"proxy\"]");
    for host in [
        "127.0.0.1:8900",
        "10.1.2.3",
        "[::1]:8900",
        "localhost:8900",
        "LocalHost",
        "localhost.",
        "backup.internal:8900",
        "a.example.org",
        "proxy:443",
    ] {
        assert_eq!(guard.check("GET", &of_host(host)), Ok(()), "{host}");
    }
    for host in ["evil.example", "evil.example:8900", "example.org.evil", "example.org", "localhost.evil", "", "[::1"] {
        let host = of_host(host);
        assert_eq!(guard.check("GET", &host), Err(Refusal::Host(host.hosts[0].clone())));
    }
    assert_eq!(guard.check("GET", &Sender::default()), Err(Refusal::Host(String::new())));
}

#[test]
fn of_several_hosts_each_must_be_known() {
    let several = Sender { hosts: vec!["localhost".into(), "evil.example".into()], ..Sender::default() };
    assert_eq!(guard("127.0.0.1:1", "").check("GET", &several), Err(Refusal::Host("evil.example".into())));
}

#[test]
fn only_pages_of_the_listener_itself_and_of_allowed_hosts_may_ask() {
    let guard = guard("127.0.0.1:8900", "allowed_hosts = [\"console.example.org\"]");
    let from = |origin: &str| Sender { origin: Some(origin.to_owned()), ..of_host("localhost:8900") };
    for origin in ["http://localhost:8900", "https://LOCALHOST:8900", "https://console.example.org"] {
        assert_eq!(guard.check("POST", &from(origin)), Ok(()), "{origin}");
    }
    for origin in ["http://localhost:3000", "http://127.0.0.1:8900", "https://evil.example", "null", ""] {
        assert_eq!(guard.check("GET", &from(origin)), Err(Refusal::Origin(origin.to_owned())));
    }
}

#[test]
fn a_change_needs_a_token_where_other_machines_reach_the_listener() {
    let (local, open) = (guard("127.0.0.1:8900", ""), guard("0.0.0.0:8900", ""));
    let asked = of_host("10.0.0.5:8900");
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "post"] {
        assert_eq!(local.check(method, &asked), Ok(()), "{method}");
        assert_eq!(open.check(method, &asked), Err(Refusal::TokenNotSet), "{method}");
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(open.check(method, &asked), Ok(()), "{method}");
    }
}

#[test]
fn a_token_that_is_set_is_needed_everywhere() {
    let text = format!("token = \"{TOKEN}\"");
    for guard in [guard("127.0.0.1:8900", &text), guard("0.0.0.0:8900", &text), Guard::of_events(&settings(&text))] {
        assert_eq!(guard.check("POST", &with_token(TOKEN)), Ok(()));
        assert_eq!(guard.check("POST", &of_host("10.0.0.5")), Err(Refusal::NoToken));
        assert_eq!(guard.check("GET", &of_host("10.0.0.5")), Ok(()));
        for wrong in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert_eq!(guard.check("POST", &with_token(wrong)), Err(Refusal::WrongToken), "{wrong}");
        }
    }
    let other_scheme = Sender { authorization: Some(Secret::new(format!("Basic {TOKEN}"))), ..of_host("10.0.0.5") };
    assert_eq!(guard("127.0.0.1:1", &text).check("POST", &other_scheme), Err(Refusal::NoToken));
}

#[test]
fn only_allowed_addresses_are_answered() {
    let guard = guard("127.0.0.1:8900", "allow_addresses = [\"10.0.0.0/8\"]");
    let from = |client: Option<&str>| Sender { client: client.map(|it| it.parse().unwrap()), ..of_host("localhost") };
    assert_eq!(guard.check("GET", &from(Some("10.1.2.3"))), Ok(()));
    for client in [None, Some("11.0.0.1"), Some("::1")] {
        assert_eq!(guard.check("GET", &from(client)), Err(Refusal::Address), "{client:?}");
    }
}

#[test]
fn an_event_may_name_any_host_and_a_page_of_another_site_may_not_send_it() {
    let guard = Guard::of_events(&settings(""));
    assert_eq!(guard.check("POST", &of_host("abc.lambda-url.eu-west-1.on.aws")), Ok(()));
    assert_eq!(guard.check("POST", &Sender::default()), Ok(()));
    let from_page = Sender { origin: Some("https://evil.example".into()), ..of_host("abc.on.aws") };
    assert_eq!(guard.check("POST", &from_page), Err(Refusal::Origin("https://evil.example".into())));
}

#[test]
fn a_refusal_says_what_to_do_and_shows_no_token() {
    let body = |refusal: Refusal| String::from_utf8(refusal.answer("POST").body.to_vec()).unwrap();
    assert_eq!(body(Refusal::Address), r#"{"code":403,"description":"invalid origin ip request","AccessDenied":true}"#);
    assert!(body(Refusal::Host("evil".into())).contains("listen.allowed_hosts"));
    let answer = Refusal::WrongToken.answer("POST");
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains(&("www-authenticate".into(), "Bearer".to_owned())));
    assert!(Refusal::WrongToken.answer("HEAD").body.is_empty());
    assert!(
        !format!("{:?} {:?}", with_token(TOKEN), guard("0.0.0.0:1", &format!("token = \"{TOKEN}\""))).contains(TOKEN)
    );
}
