"""What the workspace says of its functions: read from the source, so that a new function is seen at once."""

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
USES = {"both", "event_gateway", "StartError", "claim_owners", "create_metrics_topic", "create_replication_topic"}


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


def answers_partially(function):
    """Whether a function tells a mapping which records of an event failed."""
    return any("PartialAnswer" in path.read_text() for path in (ROOT / "functions" / function / "src").rglob("*.rs"))
