//! The clients that speak for groups: a member of the group, where this process has one, since a group with members takes
//! commits from them only; else a client that bears the group's name and never joins it. Never the admin client: librdkafka
//! 2.12 corrupts its memory when an admin's request fails while the group's coordinator is away (its issue 4605).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    admin::Admin,
    client::{self, Role},
    context::ClientState,
    errors::Errors,
    fetch::ReadClient,
    login::Login,
    not_made,
};
use crate::{config::kafka::KafkaSettings, ports::records::RecordsError};

/// The clients of this process, by group.
pub(super) struct GroupClients {
    settings: KafkaSettings,
    login: Option<Arc<Login>>,
    errors: Errors,
    admin: Arc<Admin>,
    groups: Mutex<HashMap<String, Clients>>,
}

#[derive(Default)]
struct Clients {
    members: Vec<Weak<ReadClient>>,
    /// Made when first needed.
    outsider: Option<Arc<Admin>>,
}

impl GroupClients {
    /// No clients yet. The admin client tells why members cannot get on.
    pub(super) fn new(settings: KafkaSettings, login: Option<Arc<Login>>, errors: Errors, admin: Arc<Admin>) -> Self {
        GroupClients { settings, login, errors, admin, groups: Mutex::default() }
    }

    pub(super) fn admin(&self) -> &Admin {
        &self.admin
    }

    pub(super) fn add(&self, group: &str, member: Weak<ReadClient>) {
        let mut groups = self.lock();
        let members = &mut groups.entry(group.to_owned()).or_default().members;
        members.retain(|member| member.strong_count() > 0);
        members.push(member);
    }

    /// A member of the group, if this process has one: each may commit for all partitions.
    pub(super) fn member(&self, group: &str) -> Option<Arc<ReadClient>> {
        self.lock().get(group)?.members.iter().find_map(Weak::upgrade)
    }

    /// A client that bears the group's name and never joins it.
    pub(super) fn outsider(&self, group: &str) -> Result<Arc<Admin>, RecordsError> {
        let mut groups = self.lock();
        if let Some(outsider) = groups.get(group).and_then(|clients| clients.outsider.as_ref()) {
            return Ok(Arc::clone(outsider));
        }
        let config = client::config(&self.settings, &self.errors.bootstrap_servers, Role::Outsider { group });
        let made = config.create_with_context(ClientState::new(self.login.clone()));
        let outsider = Arc::new(Admin::new(made.map_err(|error| not_made(&error))?, self.errors.clone()));
        groups.entry(group.to_owned()).or_default().outsider = Some(Arc::clone(&outsider));
        Ok(outsider)
    }

    /// Ends the client that bears the group's name and never joins it, if there is one.
    pub(super) fn forget(&self, group: &str) {
        let outsider = self.lock().get_mut(group).and_then(|clients| clients.outsider.take());
        // Not under the lock: a client takes its time to end.
        drop(outsider);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Clients>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GroupClients {
    /// A client goes when its last commit was answered, which may be never where the coordinator is away: nobody waits for
    /// that, least of all the end of the process.
    fn drop(&mut self) {
        let groups = std::mem::take(self.groups.get_mut().unwrap_or_else(PoisonError::into_inner));
        let outsiders: Vec<_> = groups.into_values().filter_map(|clients| clients.outsider).collect();
        if !outsiders.is_empty() {
            // Where there is no thread to be had they are dropped here.
            let spawned = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(outsiders));
            drop(spawned);
        }
    }
}
