//! Server-sent events: the console is told the overview every few seconds, without asking.
//!
//! However many pages are open, metrics-query is asked once, and not at all while nobody listens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, stream};
use shared::web::{HttpRequest, HttpResponse};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::host::function::Mount;

/// Where the events are.
const PATH: &str = "/_/highwater/events";
/// What is told.
const OVERVIEW: &str = "/_/highwater/figures/overview";
/// From one telling to the next.
const EVERY: Duration = Duration::from_secs(2);

/// What was told last, and who listens.
struct Feed {
    told: watch::Sender<Option<Told>>,
    /// Somebody came who was not told anything yet.
    came: Notify,
}

/// One telling.
#[derive(Clone)]
struct Told {
    event: &'static str,
    data: Arc<str>,
}

/// The route, where one of `mounts` answers for the overview.
pub fn router(mounts: Vec<Mount>, tasks: &TaskTracker, stop: &CancellationToken) -> Router {
    let answers = |mount: &Mount| !mount.prefix.is_empty() && OVERVIEW.starts_with(mount.prefix);
    let Some(figures) = mounts.into_iter().find(answers) else { return Router::new() };
    let feed = Arc::new(Feed { told: watch::Sender::new(None), came: Notify::new() });
    let (telling, end) = (tell(feed.clone(), figures), stop.clone());
    tasks.spawn(async move {
        let _: Option<()> = end.run_until_cancelled(telling).await;
    });
    Router::new().route(PATH, get(listen)).with_state((feed, stop.clone()))
}

async fn listen(State((feed, stop)): State<(Arc<Feed>, CancellationToken)>) -> impl IntoResponse {
    let told = feed.told.subscribe();
    feed.came.notify_one();
    Sse::new(events(told, stop)).keep_alive(KeepAlive::default())
}

/// What is told from now on, until `stop`.
fn events(
    told: watch::Receiver<Option<Told>>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((told, stop), async |(mut told, stop)| {
        stop.run_until_cancelled(told.changed()).await?.ok()?;
        let Told { event, data } = told.borrow_and_update().clone()?;
        Some((Ok(Event::default().event(event).data(data)), (told, stop)))
    })
}

/// Asks and tells, while anybody listens.
async fn tell(feed: Arc<Feed>, figures: Mount) {
    loop {
        if feed.told.receiver_count() == 0 {
            feed.came.notified().await;
        }
        let request = HttpRequest { method: "GET".to_owned(), target: OVERVIEW.to_owned(), ..HttpRequest::default() };
        let told = Told::of(&(figures.answer)(request).await);
        feed.told.send_replace(Some(told));
        let _ = tokio::time::timeout(EVERY, feed.came.notified()).await;
    }
}

impl Told {
    /// Errors are JSON too, with a description.
    fn of(answer: &HttpResponse) -> Self {
        let event = if answer.status == 200 { "overview" } else { "trouble" };
        Told { event, data: String::from_utf8_lossy(&answer.body).into() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

    use axum::body::Body;
    use futures::StreamExt;
    use http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::host::port::Port;

    struct World {
        status: Arc<AtomicU16>,
        asked: Arc<AtomicUsize>,
        tasks: TaskTracker,
        stop: CancellationToken,
        router: Router,
    }

    fn world() -> World {
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicUsize::new(0)));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let answer = {
            let (status, asked) = (status.clone(), asked.clone());
            move |request: HttpRequest| {
                let number = asked.fetch_add(1, Ordering::SeqCst);
                let status = status.load(Ordering::SeqCst);
                let response = HttpResponse::to(&request, status, "application/json", format!("{{\"n\":{number}}}"));
                Box::pin(async move { response }) as _
            }
        };
        let mount = Mount { port: Port::Console, prefix: "/_/highwater/figures/", answer: Arc::new(answer) };
        let router = router(vec![mount], &tasks, &stop);
        World { status, asked, tasks, stop, router }
    }

    impl World {
        async fn listen(&self) -> impl Stream<Item = String> + Unpin {
            let response = self.router.clone().oneshot(Request::get(PATH).body(Body::empty()).unwrap()).await.unwrap();
            let data = response.into_body().into_data_stream();
            Box::pin(data.map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_is_told_at_once_and_then_again_and_again() {
        let world = world();
        let mut one = world.listen().await;
        for _ in 0..3 {
            let told = one.next().await.unwrap();
            assert!(told.starts_with("event: overview\ndata: {\"n\":") && told.ends_with("}\n\n"), "{told}");
        }
        world.status.store(503, Ordering::SeqCst);
        assert!(one.next().await.unwrap().starts_with("event: trouble\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_while_nobody_listens_and_once_for_all_who_do() {
        let world = world();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.asked.load(Ordering::SeqCst), 0);
        let listeners = [world.listen().await, world.listen().await, world.listen().await];
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(world.asked.load(Ordering::SeqCst) <= 34, "{}", world.asked.load(Ordering::SeqCst));
        drop(listeners);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let asked = world.asked.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(world.asked.load(Ordering::SeqCst), asked);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_the_streams_end() {
        let world = world();
        let mut one = world.listen().await;
        one.next().await.unwrap();
        world.stop.cancel();
        while one.next().await.is_some() {}
        world.tasks.close();
        world.tasks.wait().await;
    }
}
