//! What a row of the [table](super::table) says about a function.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;
use shared::{
    config::Settings,
    ports::{clock::Clock, invoker::Invoker, objects::Objects, records::Kafka, store::Store, transactions::Target},
    web::{HttpRequest, HttpResponse},
};
use tokio_util::sync::CancellationToken;

use super::{
    functions::Answer,
    port::Port,
    ports::{Need, Ports},
};
use crate::emulation::Emulated;

/// One row: everything that hosting a function takes. `C` is its context.
pub struct Function<C: 'static> {
    /// The name that Lambda, the Invoke API and `--only` use: that of its crate.
    pub name: &'static str,
    /// What it does, for the help text.
    pub about: &'static str,
    /// The services it needs.
    pub needs: &'static [Need],
    /// The services it asks where they are configured.
    pub asks: &'static [Need],
    /// The functions it invokes, which are hosted with it.
    pub invokes: &'static [&'static str],
    /// Makes its context; `None` where a service that it needs is not there.
    pub context: fn(&World<'_>) -> Option<Arc<C>>,
    /// What starts it by itself. None: it is only invoked.
    pub triggers: &'static [Trigger<C>],
    /// Runs it once.
    pub handler: fn(Value, Arc<C>) -> BoxFuture<'static, Answer>,
}

/// What starts a function.
pub enum Trigger<C> {
    /// It is invoked again and again, the first time at once.
    Schedule(fn(&Settings) -> Vec<Schedule>),
    /// It polls Kafka until it is told to stop, and ends some time after that. Where it runs in a process that answers
    /// invocations and nothing else, these schedules stand for that, as on Lambda.
    Poller(fn(Arc<C>, CancellationToken) -> BoxFuture<'static, ()>, fn(&Settings) -> Vec<Schedule>),
    /// It answers the requests of a listener whose target begins like this; where several do, the longest counts.
    Http(Port, &'static str, fn(HttpRequest, Arc<C>) -> BoxFuture<'static, HttpResponse>),
}

/// A payload, and how often the function is invoked with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The payload.
    pub payload: Value,
    /// From the end of one run to the start of the next.
    pub every: Duration,
}

/// What contexts are made of.
pub struct World<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The connected services.
    pub ports: &'a Ports,
    /// Invokes the other functions of this process.
    pub invoker: Arc<dyn Invoker>,
    /// The name of this process, which no other run of it has.
    pub instance: &'a str,
}

impl World<'_> {
    /// Kafka.
    #[must_use]
    pub fn kafka(&self) -> Option<Arc<dyn Kafka>> {
        self.ports.kafka.clone()
    }

    /// The object storage.
    #[must_use]
    pub fn objects(&self) -> Option<Arc<dyn Objects>> {
        self.ports.objects.clone()
    }

    /// The cluster that a restore writes to.
    #[must_use]
    pub fn target(&self) -> Option<Arc<dyn Target>> {
        self.ports.target.clone()
    }

    /// The store of figures.
    #[must_use]
    pub fn store(&self) -> Option<Arc<dyn Store>> {
        self.ports.store.clone()
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.ports.clock.clone()
    }
}

type Host = Box<dyn Fn(&World<'_>) -> Option<Hosted> + Send + Sync>;
type Emulate = Box<dyn Fn(&Settings, Arc<Emulated>) -> Hosted + Send + Sync>;

/// A row whose context's type is hidden, so that rows stand in one table.
pub struct Row {
    /// [`Function::name`]
    pub name: &'static str,
    /// [`Function::about`]
    pub about: &'static str,
    /// [`Function::needs`]
    pub needs: &'static [Need],
    /// [`Function::asks`]
    pub asks: &'static [Need],
    /// [`Function::invokes`]
    pub invokes: &'static [&'static str],
    /// The listeners that it answers on.
    pub listens: Vec<Port>,
    /// Whether it has a schedule.
    pub is_scheduled: bool,
    host: Host,
    emulate: Emulate,
}

/// Polls until it is told to stop.
pub type Poller = Box<dyn Fn(CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// A function that runs here.
pub struct Hosted {
    /// Runs it once.
    pub handler: Arc<dyn Fn(Value) -> BoxFuture<'static, Answer> + Send + Sync>,
    /// How often it is invoked.
    pub schedules: Vec<Schedule>,
    /// What polls Kafka for it.
    pub pollers: Vec<Poller>,
    /// The requests that it answers.
    pub mounts: Vec<Mount>,
}

/// Requests that a function answers.
#[derive(Clone)]
pub struct Mount {
    /// The listener.
    pub port: Port,
    /// How their target begins.
    pub prefix: &'static str,
    /// Answers one.
    pub answer: Arc<dyn Fn(HttpRequest) -> BoxFuture<'static, HttpResponse> + Send + Sync>,
}

impl Row {
    /// The function with its context; `None` where a service that it needs is not there.
    #[must_use]
    pub fn host(&self, world: &World<'_>) -> Option<Hosted> {
        (self.host)(world)
    }

    /// The function in a process of its own.
    #[must_use]
    pub fn emulate(&self, settings: &Settings, function: Arc<Emulated>) -> Hosted {
        (self.emulate)(settings, function)
    }
}

impl<C: Send + Sync + 'static> From<Function<C>> for Row {
    fn from(function: Function<C>) -> Row {
        let Function { name, about, needs, asks, invokes, context, triggers, handler } = function;
        let port = |trigger: &Trigger<C>| if let Trigger::Http(port, ..) = trigger { Some(*port) } else { None };
        let listens = triggers.iter().filter_map(port).collect();
        let is_scheduled = triggers.iter().any(|trigger| matches!(trigger, Trigger::Schedule(_)));
        let host = move |world: &World<'_>| Some(hosted(context(world)?, world.settings, triggers, handler));
        let emulate = move |settings: &Settings, function| emulated(function, settings, triggers);
        let (host, emulate) = (Box::new(host), Box::new(emulate));
        Row { name, about, needs, asks, invokes, listens, is_scheduled, host, emulate }
    }
}

fn hosted<C: Send + Sync + 'static>(
    context: Arc<C>,
    settings: &Settings,
    triggers: &'static [Trigger<C>],
    handler: fn(Value, Arc<C>) -> BoxFuture<'static, Answer>,
) -> Hosted {
    let own = Arc::clone(&context);
    let handler = Arc::new(move |payload| handler(payload, Arc::clone(&own)));
    let mut hosted = Hosted { handler, schedules: vec![], pollers: vec![], mounts: vec![] };
    for trigger in triggers {
        let context = Arc::clone(&context);
        match *trigger {
            Trigger::Schedule(schedules) => hosted.schedules.extend(schedules(settings)),
            Trigger::Poller(poll, _) => hosted.pollers.push(Box::new(move |stop| poll(Arc::clone(&context), stop))),
            Trigger::Http(port, prefix, answer) => {
                let answer = Arc::new(move |request| answer(request, Arc::clone(&context)));
                hosted.mounts.push(Mount { port, prefix, answer });
            }
        }
    }
    hosted
}

/// A function in a process of its own: invoked for all that starts it.
fn emulated<C>(function: Arc<Emulated>, settings: &Settings, triggers: &'static [Trigger<C>]) -> Hosted {
    let own = Arc::clone(&function);
    let invoke = move |payload| {
        let function = Arc::clone(&own);
        let answer: BoxFuture<'static, Answer> = Box::pin(async move { function.invoke(payload).await });
        answer
    };
    let mut hosted = Hosted { handler: Arc::new(invoke), schedules: vec![], pollers: vec![], mounts: vec![] };
    for trigger in triggers {
        match *trigger {
            Trigger::Schedule(schedules) | Trigger::Poller(_, schedules) => {
                hosted.schedules.extend(schedules(settings))
            }
            Trigger::Http(port, prefix, _) => {
                let function = Arc::clone(&function);
                let answer = move |request| {
                    let function = Arc::clone(&function);
                    let response: BoxFuture<'static, HttpResponse> =
                        Box::pin(async move { function.request(request).await });
                    response
                };
                hosted.mounts.push(Mount { port, prefix, answer: Arc::new(answer) });
            }
        }
    }
    hosted
}
