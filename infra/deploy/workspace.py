"""What the workspace says of its functions: read from the source, so that a new function is seen at once."""

import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What `shared/src/adapters/connect.rs` connects to, by its functions' names.
PORTS = {
    "kafka": {"kafka"},
    # The cluster that is restored to: another one than the stack's has its brokers in the file.
    "target": {"kafka"},
    "storage": {"storage"},
    "storage_to_read": {"storage to read"},
    "backups": {"kafka", "storage"},
    "backups_to_read": {"kafka", "storage to read"},
    "redis": {"redis"},
    "redis_at_need": {"redis"},
    "redis_at_need_if_configured": {"redis"},
    "kafka_if_configured": {"kafka"},
    "redis_if_configured": {"redis"},
    "invoker": {"invoker"},
    # Somebody else's buckets, by credentials of their own or by the function's role.
    "locations": {"locations"},
    # The function that takes pushes.
    "function_gateway": {"function_gateway"},
    # Reached by the network alone.
    "registries": set(),
}
# These are given what is connected already, or put results together.
USES = {"both", "event_gateway", "StartError", "create_metrics_topic", "create_topics"}


def main_of(function):
    return (ROOT / "functions" / function / "src" / "main.rs").read_text()


def functions():
    """The crates whose binary runs on Lambda."""
    crates = (ROOT / "functions").glob("*/src/main.rs")
    return sorted(path.parent.parent.name for path in crates if "lambda::runtime" in path.read_text() or "runtime::run" in path.read_text())


def hosted():
    """The crates that the runner hosts."""
    crates = (ROOT / "functions").glob("*/src/lib.rs")
    return sorted(path.parent.parent.name for path in crates if path.parent.parent.name != "local-runner")


def ports(function):
    """What a function connects to."""
    used = set(re.findall(r"connect::(\w+)", main_of(function))) - USES
    unknown = used - PORTS.keys()
    if unknown:
        raise LookupError(f"{function} uses connect::{unknown.pop()}, which infra/deploy/workspace.py does not know: add what it connects to")
    return set().union(*(PORTS[name] for name in used))


# The operations that the adapters ask AWS's APIs for without an SDK, by their files.
WITHOUT_SDK = {"secrets_manager.rs": "get_secret_value", "invoker.rs": "invoke"}


def aws_operations():
    """The operations of AWS's APIs that the adapters call, as the SDKs name them."""
    found = set()
    for path in (ROOT / "shared/src/adapters").rglob("*.rs"):
        source = path.read_text().split("#[cfg(test)]")[0]
        if "aws_sdk_" in source:
            found |= set(re.findall(r"client\s*\.(\w+)\(\)", source))
        if "AwsApi" in source and path.name != "aws_api.rs":
            found.add(WITHOUT_SDK.get(path.name, f"what {path.name} asks for: say so in WITHOUT_SDK"))
    return found - {"clone"}


# What the functions have done in Kafka by what they share: connecting, and in a function's own name.
CONNECTING = {
    "kafka": {"cluster_id"},
    "kafka_if_configured": {"cluster_id"},
    "target": {"cluster_id"},
    "backups": {"cluster_id", "create_topic"},
    "backups_to_read": {"cluster_id", "create_topic"},
    "create_metrics_topic": {"create_topic"},
    "create_topics": {"create_topic"},
}
# history.rs compares the log with the backup, queue.rs publishes entries and events.
SHARED = {"segment-writer": {"history.rs", "queue.rs"}, "backup-verifier": {"history.rs"}, "object-replicator": {"queue.rs"}}


@functools.cache
def kafka_port():
    """The operations of the ports to Kafka."""
    found = set()
    for name in ("records", "acls", "transactions"):
        source = (ROOT / f"shared/src/ports/{name}.rs").read_text()
        for trait in ("Log", "Groups", "Publisher", "Acls", "Transactions"):
            for body in re.findall(rf"^pub trait {trait}\b.*?^}}", source, re.M | re.S):
                found |= set(re.findall(r"async fn (\w+)", body))
    return found


def called_of_kafka(paths):
    """The operations that these files call of something that is called after Kafka."""
    sources = [path.read_text().split("#[cfg(test)]\nmod tests {")[0] for path in paths if not {"tests", "tests.rs"} & set(path.parts)]
    called = {name for source in sources for name in re.findall(r"(?:kafka|target|publisher)(?:\(\))?\s*\.(\w+)\(", source)}
    return called & kafka_port()


@functools.cache
def shared_with_kafka():
    """The shared files, other than adapters, ports and tools of tests, that call Kafka themselves."""
    paths = [path for path in (ROOT / "shared/src").rglob("*.rs") if not {"adapters", "ports"} & set(path.parts)]
    return {path.name: called for path in paths if (called := called_of_kafka([path]))}


@functools.cache
def kafka_operations(function):
    """What a function does in Kafka."""
    operations = called_of_kafka((ROOT / "functions" / function / "src").rglob("*.rs"))
    shared = shared_with_kafka()
    for name in SHARED.get(function, set()):
        operations |= shared[name]
    for name in set(re.findall(r"connect::(\w+)", main_of(function))) & CONNECTING.keys():
        operations |= CONNECTING[name]
    return operations


def answers_partially(function):
    """Whether a function tells a mapping which records of an event failed."""
    return any("PartialAnswer" in path.read_text() for path in (ROOT / "functions" / function / "src").rglob("*.rs"))
