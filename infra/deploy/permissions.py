"""Which operation needs which permission. The template's roles are checked against this table in both directions."""

import json

# By operation: the SDK's name of it where the adapters call it through one, and the (action, resource)s that it needs.
LOG = {("logs:CreateLogStream", "log"), ("logs:PutLogEvents", "log")}
SETTINGS = {("kms:Decrypt", "key"), ("s3:GetObject", "configuration")}
STORAGE = {
    "get_object": {("s3:GetObject", "backups"), ("kms:Decrypt", "key")},
    "head_object": {("s3:GetObject", "backups")},
    # With If-Match a PUT also needs to read.
    "put_object": {("s3:PutObject", "backups"), ("s3:GetObject", "backups"), ("kms:GenerateDataKey", "key")},
    "list_objects_v2": {("s3:ListBucket", "bucket")},
    "delete_object": {("s3:DeleteObject", "backups")},
    "delete_objects": {("s3:DeleteObject", "backups")},
    # In parts only objects of locations are written, whose permissions are not the template's.
    "create_multipart_upload": set(),
    "upload_part": set(),
    "complete_multipart_upload": set(),
}
KAFKA = {"get_bootstrap_brokers": {("kafka:GetBootstrapBrokers", "cluster")}}
# What a function does in a cluster that lets it in by its role: actions of kafka-cluster.
LOOKS = {"Connect", "DescribeCluster", "DescribeTopic"}
READS = {"ReadData", "DescribeGroup", "AlterGroup"}
WRITES = {"WriteData", "WriteDataIdempotently"}
BY_ROLE = {
    "segment-writer": LOOKS | READS | WRITES | {"CreateTopic", "DescribeClusterDynamicConfiguration"},
    "backup-verifier": LOOKS | {"ReadData", "DescribeGroup"},
    "cluster-archiver": LOOKS | {"DescribeTopicDynamicConfiguration", "DescribeGroup"},
    "lag-monitor": LOOKS | {"ReadData", "DescribeTopicDynamicConfiguration", "DescribeGroup", "CreateTopic"},
    "object-replicator": LOOKS | READS | WRITES | {"CreateTopic"},
    "metrics-consumer": LOOKS | READS | {"CreateTopic", "DescribeClusterDynamicConfiguration"},
    "metrics-gateway": LOOKS | WRITES | {"CreateTopic"},
    "segment-restorer": LOOKS
    | READS
    | WRITES
    | {"CreateTopic", "DeleteTopic", "AlterTopic", "DescribeTopicDynamicConfiguration", "AlterTopicDynamicConfiguration"}
    | {"DescribeTransactionalId", "AlterTransactionalId"},
}
INVOKER = {"invoke": {("lambda:InvokeFunction", "metrics-aggregator")}}
# Redis is reached by the network alone.
BY_PORT = {"storage": STORAGE, "kafka": KAFKA, "invoker": INVOKER, "redis": {}}
# What Lambda itself does in a function's name where a Kafka mapping starts it.
MAPPING = {
    ("kafka:DescribeClusterV2", "cluster"),
    ("ec2:DescribeVpcs", "*"),
    ("ec2:DescribeSubnets", "*"),
    ("ec2:DescribeSecurityGroups", "*"),
    ("secretsmanager:GetSecretValue", "kafka secret"),
    ("kms:Decrypt", "kafka secret's key"),
    ("sqs:SendMessage", "failures"),
}
# Actions that AWS cannot narrow down to a resource.
WITHOUT_RESOURCE = {action for action, resource in MAPPING if resource == "*"}


def needed(function, ports, is_mapped):
    """The permissions of a function that connects to `ports`."""
    by_role = {(f"kafka-cluster:{action}", "cluster") for action in BY_ROLE[function]} if "kafka" in ports else set()
    of_ports = [permissions for port in ports for permissions in BY_PORT[port].values()]
    return LOG.union(SETTINGS, by_role, MAPPING if is_mapped else set(), *of_ports)


def granted(role):
    """The permissions that a role of the translated template has."""
    pairs = set()
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            # A statement under a condition: [condition, statement, nothing].
            statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                pairs.add((action, resource_name(statement["Resource"])))
    return pairs


NAMES = {
    "${BucketPrefix}/*": "backups",
    "${ConfigKey}": "configuration",
    ":s3:::${Name}": "bucket",
    "MskClusterArn": "cluster",
    "KafkaSecretArn": "kafka secret",
    "KafkaSecretKmsKeyArn": "kafka secret's key",
    "function:${Prefix}metrics-aggregator": "metrics-aggregator",
    "Failures": "failures",
    "KmsKeyArn": "key",
    'Log", "Arn"': "log",
}


def resource_name(resource):
    """What a policy's resource is called in the table; the text itself where it is nothing known."""
    if resource == "*":
        return "*"
    text = json.dumps(resource)
    return next((name for mark, name in NAMES.items() if mark in text), text)
