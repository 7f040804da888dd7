//! The HTTP ports of a host: opened together before anything starts, so that a port in use stops the start.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use shared::config::listen::ListenSettings;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Host,
    hosted::{Function, Hosted},
};
use crate::http::{
    figures, invoke,
    server::{ListenError, Listening, bind},
};

/// Open ports that nothing is answered on yet.
pub struct Listeners {
    metrics: Option<Listening>,
    query: Option<Listening>,
    invoke: Option<Listening>,
}

impl Listeners {
    /// Opens the ports of the hosted functions: those for figures belong to metrics-query, one of them to backup-control too, the
    /// Invoke API to a host of all.
    pub async fn open(settings: &ListenSettings, hosted: &Hosted) -> Result<Self, ListenError> {
        let off = shared::config::listen::Listen::Off;
        let figures = hosted.has(Function::MetricsQuery);
        let control = hosted.has(Function::BackupControl);
        let when = |wanted, setting| if wanted { setting } else { &off };
        Ok(Listeners {
            metrics: bind("metrics", when(figures, &settings.metrics)).await?,
            query: bind("query", when(figures || control, &settings.query)).await?,
            invoke: bind("invoke", when(hosted.is_all(), &settings.invoke)).await?,
        })
    }

    /// The open ports, by the names of their settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let ports = [("metrics", &self.metrics), ("query", &self.query), ("invoke", &self.invoke)];
        ports.into_iter().filter_map(|(name, port)| Some((name, port.as_ref()?.address()))).collect()
    }

    /// Answers on them until `stop`.
    pub fn serve(self, host: &Host, tasks: &TaskTracker, stop: &CancellationToken) {
        let serve = |port: Option<Listening>, router: Option<Router>| {
            if let (Some(port), Some(router)) = (port, router) {
                tasks.spawn(port.serve(router, stop.clone()));
            }
        };
        serve(self.metrics, host.query.clone().map(figures::exposition));
        serve(self.query, figures::backbeat(host.query.clone(), host.control.clone()));
        serve(self.invoke, Some(invoke::router(Arc::clone(&host.functions), tasks.clone())));
    }
}
