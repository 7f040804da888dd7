//! A cluster of three brokers, each of which can be stopped alone. They share the machine's network: each finds the others on the
//! loopback, as clients do.

use futures::future::join_all;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _, core::WaitFor};

use crate::{backend, kafka::Kafka};

const BROKERS: u16 = 3;
/// Any will do; all three must have the same.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";

/// The brokers.
pub struct Brokers {
    kafka: Kafka,
    containers: Vec<ContainerAsync<GenericImage>>,
}

/// Where a broker listens: to clients and brokers, and as a member of the quorum of controllers.
struct Ports {
    broker: u16,
    controller: u16,
}

impl Brokers {
    /// Starts them. What Kafka keeps itself outlives each of them; a topic that a test makes is led by all of them in turn, and kept
    /// by its leader alone.
    pub async fn start() -> Brokers {
        let ports: Vec<_> = (0..BROKERS)
            .map(|_| Ports { broker: backend::lasting_port(), controller: backend::lasting_port() })
            .collect();
        let voters = (1..).zip(&ports).map(|(node, ports)| format!("{node}@127.0.0.1:{}", ports.controller));
        let voters = voters.collect::<Vec<_>>().join(",");
        let (name, tag) = backend::image("kafka");
        let broker = |(node, ports): (usize, &Ports)| {
            let image = GenericImage::new(name, tag).with_wait_for(WaitFor::message_on_stdout("Kafka Server started"));
            let request = image.with_network("host");
            let request = environment(node, ports, &voters)
                .into_iter()
                .fold(request, |request, (name, value)| request.with_env_var(name, value));
            backend::start(request)
        };
        let containers = join_all((1..).zip(&ports).map(broker)).await;
        let servers = ports.iter().map(|ports| format!("127.0.0.1:{}", ports.broker)).collect::<Vec<_>>().join(",");
        Brokers { kafka: Kafka::at(servers), containers }
    }

    /// The cluster.
    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// Ends the broker `node` (1, 2 or 3) where it stands.
    pub async fn kill(&self, node: i32) {
        self.container(node).stop_with_timeout(Some(0)).await.expect("a broker can be stopped");
    }

    /// Starts it again, on what it had written.
    pub async fn start_again(&self, node: i32) {
        self.container(node).start().await.expect("a broker can be started again");
    }

    fn container(&self, node: i32) -> &ContainerAsync<GenericImage> {
        let index = usize::try_from(node - 1).ok();
        index.and_then(|index| self.containers.get(index)).unwrap_or_else(|| panic!("there is no broker {node}"))
    }
}

fn environment(node: usize, ports: &Ports, voters: &str) -> Vec<(&'static str, String)> {
    let (broker, controller) = (ports.broker, ports.controller);
    let three = BROKERS.to_string();
    vec![
        ("CLUSTER_ID", CLUSTER_ID.to_owned()),
        ("KAFKA_NODE_ID", node.to_string()),
        ("KAFKA_PROCESS_ROLES", "broker,controller".to_owned()),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", voters.to_owned()),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER".to_owned()),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "PLAINTEXT".to_owned()),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("KAFKA_LISTENERS", format!("PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}")),
        ("KAFKA_ADVERTISED_LISTENERS", format!("PLAINTEXT://127.0.0.1:{broker}")),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false".to_owned()),
        ("KAFKA_DEFAULT_REPLICATION_FACTOR", three.clone()),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0".to_owned()),
        ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "4".to_owned()),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", three.clone()),
        ("KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS", "4".to_owned()),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", three),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "2".to_owned()),
        ("KAFKA_HEAP_OPTS", "-Xms256m -Xmx256m".to_owned()),
    ]
}
