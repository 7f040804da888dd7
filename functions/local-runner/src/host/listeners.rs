//! The HTTP ports of a host: opened together before anything starts, so that a port in use stops the start.

use std::{net::SocketAddr, sync::Arc};

use shared::config::listen::ListenSettings;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Host, port::Port, selection::Selection};
use crate::http::{
    events, invoke, routes,
    server::{ListenError, Listening, bind},
};

/// Open ports that nothing is answered on yet.
pub struct Listeners(Vec<(Port, Listening)>);

impl Listeners {
    /// Opens the listeners of the selected functions.
    pub async fn open(settings: &ListenSettings, selection: &Selection) -> Result<Self, ListenError> {
        let mut open = vec![];
        for port in Port::ALL.into_iter().filter(|port| selection.listens(*port)) {
            open.extend(bind(port.name(), port.setting(settings), settings).await?.map(|listening| (port, listening)));
        }
        Ok(Listeners(open))
    }

    /// The open ports, by the names of their settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.0.iter().map(|(port, listening)| (port.name(), listening.address())).collect()
    }

    /// Where the event gateway of this process is, if it has one.
    #[must_use]
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.0.iter().find(|(port, _)| *port == Port::Gateway).map(|(_, listening)| listening.address())
    }

    /// Answers on them until `stop`.
    pub fn serve(self, host: &Host, tasks: &TaskTracker, stop: &CancellationToken) {
        for (port, listening) in self.0 {
            let mounts = || host.mounts.iter().filter(|mount| mount.port == port).cloned().collect();
            let router = match port {
                Port::Invoke => invoke::router(Arc::clone(&host.functions), tasks.clone()),
                Port::Console => events::router(mounts(), tasks, stop).merge(routes::router(mounts())),
                _ => routes::router(mounts()),
            };
            tasks.spawn(listening.serve(router, stop.clone()));
        }
    }
}
