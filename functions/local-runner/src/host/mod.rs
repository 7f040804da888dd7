//! What hosts the functions. [`table`] has one row a function; settings become [`ports`], ports become the functions'
//! contexts, and [`triggers`] and [`listeners`] start the functions.

pub mod function;
pub mod functions;
pub mod listeners;
pub mod port;
pub mod ports;
pub(crate) mod renewal;
pub mod selection;
pub mod signals;
pub mod table;
pub mod triggers;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use shared::{
    adapters::{connect, instance},
    config::Settings,
};

use self::{
    function::{Hosted, Mount, Row, World},
    functions::{Functions, LateInvoker},
    ports::{Need, Ports},
    selection::Selection,
    triggers::Triggers,
};
use crate::{emulation::Emulator, failure::Failure};

/// The hosted functions.
pub struct Host {
    /// The name of this process, which no other run of it has.
    pub instance: String,
    /// The functions by name.
    pub functions: Arc<Functions>,
    /// What starts them by itself.
    pub triggers: Triggers,
    /// The requests they answer.
    pub mounts: Vec<Mount>,
    /// The ports.
    pub ports: Ports,
}

impl Host {
    /// Connects to what the selected functions need, and hosts them. For those that need Kafka the prefixes of the backups
    /// are claimed, and the metrics topic is made where it is not there. `gateway` is the event gateway of this process,
    /// where it has one.
    ///
    /// # Errors
    /// When a service is not configured, or cannot be reached.
    pub async fn connect(
        settings: &Settings,
        selection: &Selection,
        gateway: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let ports = Ports::connect(settings, &selection.services(settings), gateway).await?;
        if let Some(kafka) = ports.kafka.as_ref().filter(|_| selection.needs(Need::Kafka)) {
            if let Some(objects) = ports.objects.as_ref().filter(|_| selection.needs(Need::Storage)) {
                connect::claim_owners(settings, &**kafka, &**objects).await?;
            }
            connect::create_topics(settings, &**kafka).await?;
        }
        Ok(Host::new(settings, selection, ports))
    }

    /// Hosts the selected functions in processes of their own. Those that need no service at all have no package, and are
    /// hosted here.
    ///
    /// # Errors
    /// When a package is not there, or a process cannot be started.
    pub async fn emulate(settings: &Settings, selection: &Selection, emulator: &Emulator) -> Result<Self, Failure> {
        let ports = Ports::connect(settings, &[], None).await?;
        let mut started = BTreeMap::new();
        for row in selection.rows().filter(|row| !row.needs.is_empty()) {
            started.insert(row.name, emulator.start(row.name).await?);
        }
        let host = |row: &'static Row, world: &World<'_>| match started.remove(row.name) {
            Some(function) => Some(row.emulate(settings, function)),
            None => row.host(world),
        };
        Ok(Host::of(settings, selection, ports, host))
    }

    /// Hosts the selected functions, but for those that lack a service they need.
    #[must_use]
    pub fn new(settings: &Settings, selection: &Selection, ports: Ports) -> Self {
        Host::of(settings, selection, ports, |row, world| row.host(world))
    }

    fn of(
        settings: &Settings,
        selection: &Selection,
        ports: Ports,
        mut host: impl FnMut(&'static Row, &World<'_>) -> Option<Hosted>,
    ) -> Self {
        let instance = instance::name(&*ports.clock);
        let invoker = LateInvoker::default();
        let world = World { settings, ports: &ports, invoker: Arc::new(invoker.clone()), instance: &instance };
        let (mut functions, mut triggers, mut mounts) = (Functions::default(), Triggers::default(), vec![]);
        for row in selection.rows() {
            let Some(hosted) = host(row, &world) else { continue };
            let Hosted { handler, schedules, pollers, mounts: more } = hosted;
            functions = functions.with(row.name, move |payload| handler(payload));
            triggers.schedules.extend(schedules.into_iter().map(|schedule| (row.name, schedule)));
            triggers.pollers.extend(pollers);
            mounts.extend(more);
        }
        let functions = Arc::new(functions);
        invoker.set(&functions);
        Host { instance, functions, triggers, mounts, ports }
    }
}
