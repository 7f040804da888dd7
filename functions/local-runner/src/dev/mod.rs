//! What `highwater dev` embeds and makes up: a Kafka cluster, sample topics, a banner.

pub mod banner;
pub mod cluster;
pub mod flush;
pub mod generator;
pub mod registry;
pub mod samples;
