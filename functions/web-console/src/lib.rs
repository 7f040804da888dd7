//! The console: a static page that shows what metrics-query tells, and pauses and resumes through backup-control. The runner
//! serves it beside them, so that all of it is of one origin; it has no Lambda of its own.
//!
//! It also serves `openapi.json`, which describes every HTTP surface and is frozen here: whoever changes an answer changes it.
//! Plain ES modules, one style sheet and an icon; no build step, and nothing from anywhere else. The page may run no
//! inline script and no inline style, so that a topic's name can never become code.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use shared::web::{HttpAnswer, HttpEvent, HttpRequest, HttpResponse};

/// The function's name.
pub const NAME: &str = "web-console";

/// What a browser may do with the page: nothing that is not here.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    path: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

macro_rules! files {
    ($($path:literal $content_type:ident $file:literal)*) => {
        &[$(File { path: $path, content_type: $content_type, content: include_str!(concat!("../page/", $file)) }),*]
    };
}

const FILES: &[File] = files! {
    "/" HTML "index.html"
    "/style.css" CSS "style.css"
    "/token.js" SCRIPT "token.js"
    "/icon.svg" SVG "icon.svg"
    "/asked.js" SCRIPT "asked.js"
    "/bytes.js" SCRIPT "bytes.js"
    "/chart.js" SCRIPT "chart.js"
    "/main.js" SCRIPT "main.js"
    "/dom.js" SCRIPT "dom.js"
    "/format.js" SCRIPT "format.js"
    "/live.js" SCRIPT "live.js"
    "/control.js" SCRIPT "control.js"
    "/parts.js" SCRIPT "parts.js"
    "/views/overview.js" SCRIPT "views/overview.js"
    "/views/topic.js" SCRIPT "views/topic.js"
    "/openapi.json" JSON "openapi.json"
    "/views/api.js" SCRIPT "views/api.js"
    "/views/job.js" SCRIPT "views/job.js"
    "/views/location.js" SCRIPT "views/location.js"
    "/views/past.js" SCRIPT "views/past.js"
    "/views/segments.js" SCRIPT "views/segments.js"
};

/// Answers a request for a file of the page.
#[must_use]
pub fn handle(request: &HttpRequest) -> HttpResponse {
    let file = FILES.iter().find(|file| file.path == request.path());
    let (status, content_type, content) = match (request.method.as_str(), file) {
        ("GET" | "HEAD", Some(file)) => (200, file.content_type, file.content),
        (_, Some(_)) => (405, "text/plain", "the console's page is read with GET\n"),
        (_, None) => (404, "text/plain", "there is no such file; the console is at /\n"),
    };
    let mut response = HttpResponse::to(request, status, content_type, content.to_owned());
    response.headers.extend([
        ("content-security-policy".into(), CONTENT_SECURITY_POLICY.to_owned()),
        ("x-content-type-options".into(), "nosniff".to_owned()),
        ("referrer-policy".into(), "no-referrer".to_owned()),
        ("cache-control".into(), "no-cache".to_owned()),
    ]);
    response
}

/// Answers a request that came as an event.
///
/// # Errors
/// None: what is wrong is in the answer.
pub async fn handle_event(event: HttpEvent) -> Result<HttpAnswer, Infallible> {
    let response = handle(&event.request);
    Ok(event.answer(response))
}
