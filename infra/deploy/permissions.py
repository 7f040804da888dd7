"""Which operation needs which permission. The template's roles are checked against this table in both directions."""

import workspace

# By operation: as the SDK names it where the adapters call it through one; and the (action, resource)s that it needs.
LOG = {("logs:CreateLogStream", "log"), ("logs:PutLogEvents", "log")}
STORAGE = {
    "get_object": {("s3:GetObject", "backups"), ("kms:Decrypt", "key")},
    "head_object": {("s3:GetObject", "backups")},
    # With If-Match a PUT also needs to read.
    "put_object": {("s3:PutObject", "backups"), ("s3:GetObject", "backups"), ("kms:GenerateDataKey", "key")},
    "list_objects_v2": {("s3:ListBucket", "bucket")},
    "delete_object": {("s3:DeleteObject", "backups")},
    "delete_objects": {("s3:DeleteObject", "backups")},
    # In parts only objects of locations are written, see there.
    "create_multipart_upload": set(),
    "upload_part": set(),
    "complete_multipart_upload": set(),
}
READS_STORAGE = {name: STORAGE[name] for name in ("get_object", "head_object", "list_objects_v2")}
# The same in somebody else's buckets, of which those without keys of their own are opened to the function's role.
LOCATIONS = {("s3:ListBucket", "locations' buckets")} | {(f"s3:{action}Object", "locations") for action in ("Get", "Put", "Delete")}
# The settings: in the environment, which Lambda decrypts, in an object, and in secrets.
CONFIGURATION = {("s3:GetObject", "configuration")}
SECRETS = {"get_secret_value": {("secretsmanager:GetSecretValue", "settings' secrets")}}
SECRETS_KEY = {("kms:Decrypt", "secrets' key")}
MSK = {"get_bootstrap_brokers": {("kafka:GetBootstrapBrokers", "cluster")}}
INVOKER = {"invoke": {("lambda:InvokeFunction", "metrics-aggregator")}}
OPERATIONS = STORAGE | SECRETS | MSK | INVOKER
# Redis and schema registries are reached by the network alone.
GATEWAY = {"invoke": {("lambda:InvokeFunction", "metrics-gateway")}}
BY_PORT = {"storage": STORAGE, "storage to read": READS_STORAGE, "invoker": INVOKER, "function_gateway": GATEWAY}

# The same in Kafka: what each operation of the ports needs in a cluster that lets functions in by their roles (actions of
# kafka-cluster). ACLS has the access rule that is the same elsewhere.
PUBLISHES = {"DescribeTopic", "WriteData", "WriteDataIdempotently"}
KAFKA = {
    "cluster_id": {"DescribeCluster"},
    "topics": {"DescribeTopic"},
    "layout": {"DescribeTopic"},
    "bounds": {"DescribeTopic"},
    "allowed": {"DescribeTopic"},
    "fetch": {"DescribeTopic", "ReadData"},
    "peek": {"DescribeTopic", "ReadData"},
    "settings": {"DescribeTopicDynamicConfiguration"},
    "overrides": {"DescribeTopicDynamicConfiguration"},
    "retention": {"DescribeTopicDynamicConfiguration"},
    "join": {"DescribeTopic", "ReadData", "DescribeGroup", "AlterGroup"},
    "groups": {"DescribeGroup"},
    "committed": {"DescribeGroup"},
    "committed_offsets": {"DescribeGroup"},
    "committed_once": {"DescribeGroup"},
    "commit": {"ReadData", "DescribeGroup", "AlterGroup"},
    "commit_idle": {"ReadData", "DescribeGroup", "AlterGroup"},
    "publish": PUBLISHES,
    "publish_repeatable": {"DescribeTopic", "WriteData"},
    "take_over": PUBLISHES | {"DescribeTransactionalId", "AlterTransactionalId"},
    "check_topic": {"CreateTopic"},
    "create_topic": {"CreateTopic"},
    "alter_topic": {"AlterTopicDynamicConfiguration"},
    "delete_topic": {"DeleteTopic"},
    "acls": {"DescribeCluster"},
    # Access rules say nothing where roles let in, so no function may write them there.
    "add_acls": set(),
}
ACLS = {
    "DescribeCluster": "Describe", "DescribeTopic": "Describe", "DescribeGroup": "Describe", "DescribeTransactionalId": "Write",
    "ReadData": "Read", "AlterGroup": "Read", "WriteData": "Write", "WriteDataIdempotently": "Write", "AlterTransactionalId": "Write",
    "CreateTopic": "Create", "DeleteTopic": "Delete",
    "DescribeTopicDynamicConfiguration": "DescribeConfigs", "AlterTopicDynamicConfiguration": "AlterConfigs",
}
OURS = {"cluster", "topics", "our groups"}
KAFKA_RESOURCES = {
    "segment-writer": OURS,
    "backup-verifier": OURS,
    "lag-monitor": OURS,
    "object-replicator": OURS,
    "cluster-archiver": {"cluster", "topics", "groups"},
    "metrics-consumer": {"cluster", "metrics topic", "metrics group"},
    "metrics-gateway": {"cluster", "metrics topic"},
    "segment-restorer": {"cluster", "topics", "groups", "transactional ids"},
}
# A mapping is polled by Lambda in the function's name.
NETWORK = {("ec2:DescribeVpcs", "*"), ("ec2:DescribeSubnets", "*"), ("ec2:DescribeSecurityGroups", "*")}
POLLS = {"Connect", "DescribeClusterDynamicConfiguration", "DescribeTopic", "ReadData", "DescribeGroup", "AlterGroup"}
POLLED = {"segment-writer": {"cluster", "topics", "event groups"}, "metrics-consumer": {"cluster", "metrics topic", "metrics-consumer's mapping"}}
# Lambda also says in the function's name what it could not deliver, and which runs failed where that has a destination.
FAILURES = {("sqs:SendMessage", "failures")}
# Actions that AWS cannot narrow down to a resource.
WITHOUT_RESOURCE = {action for action, _ in NETWORK}


def in_kafka(function):
    """The actions of kafka-cluster that a function's operations need."""
    return {"Connect"}.union(*(KAFKA[operation] for operation in workspace.kafka_operations(function)))


def in_cluster(actions, resources):
    return {(f"kafka-cluster:{action}", resource) for action in actions for resource in resources}


def needed(function, ports, is_mapped, tells_failures, values):
    """The permissions of a function that connects to `ports`, in a deployment with these parameters."""
    is_msk, logs_in = values["MskClusterArn"] != "", values["KafkaSecurityProtocol"].startswith("sasl")
    by_role = logs_in and values["KafkaSaslMechanism"] == "AWS_MSK_IAM"
    needs = LOG | {("kms:Decrypt", "key")}
    if is_mapped or tells_failures:
        needs |= FAILURES
    if values["ConfigKey"]:
        needs |= CONFIGURATION
    if values["SettingsSecretArns"]:
        needs |= SECRETS["get_secret_value"]
    if values["SettingsSecretArns"] and values["KafkaSecretKmsKeyArn"]:
        needs |= SECRETS_KEY
    if "locations" in ports and values["LocationBucketArns"]:
        needs |= LOCATIONS
    for port, operations in BY_PORT.items():
        if port in ports:
            needs = needs.union(*operations.values())
    if "kafka" in ports and is_msk:
        needs |= MSK["get_bootstrap_brokers"]
    if "kafka" in ports and by_role:
        needs |= in_cluster(in_kafka(function), KAFKA_RESOURCES[function])
    return needs | (of_mapping(function, is_msk, by_role, logs_in and not by_role, values) if is_mapped else set())


def of_mapping(function, is_msk, by_role, by_password, values):
    """What Lambda itself does in a function's name where a Kafka mapping starts it."""
    needs = set()
    if is_msk:
        needs |= {("kafka:DescribeClusterV2", "cluster")}
    if values["VpcId"]:
        needs |= NETWORK
    if by_role:
        needs |= in_cluster(POLLS, POLLED[function])
    secrets = {name for name in ("KafkaSecretArn", "KafkaAuthoritySecretArn", "KafkaCertificateSecretArn") if values[name]}
    secrets -= set() if by_password else {"KafkaSecretArn"}
    needs |= {("secretsmanager:GetSecretValue", secret) for secret in secrets}
    if secrets and values["KafkaSecretKmsKeyArn"]:
        needs |= SECRETS_KEY
    return needs


def granted(role, resources):
    """The permissions of a role, by its logical name, among the resources that a deployment makes."""
    policies = list(resources[role]["Properties"]["Policies"])
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]:
            policies.append(resource["Properties"])
    names = NAMES | {f"{role.removesuffix('Role')}Log.Arn": "log"}
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    return {(action, names.get(text(resource), text(resource)))
            for statement in statements for action in listed(statement["Action"]) for resource in listed(statement["Resource"])}


def listed(value):
    return value if isinstance(value, list) else [value]


def text(resource):
    """A policy's resource as the template writes it."""
    match resource:
        case {"Ref": name}:
            return name
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": [written, _]} | {"Fn::Sub": written}:
            return written
        # A list with something behind each item.
        case {"Fn::Split": [",", {"Fn::Sub": [written, {"Items": {"Fn::Join": [between, {"Ref": name}]}}]}]} if written == "${Items}" + between.removesuffix(","):
            return f"each {name}{between.removesuffix(',')}"
    return str(resource)


# What the table calls the resources that policies name; others it calls as they are written.
NAMES = {
    "Key.Arn": "key",
    "KmsKeyArn": "key",
    "arn:${AWS::Partition}:s3:::${Name}": "bucket",
    "arn:${AWS::Partition}:s3:::${Name}/${BucketPrefix}/*": "backups",
    "arn:${AWS::Partition}:s3:::${Name}/${ConfigKey}": "configuration",
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Prefix}metrics-aggregator": "metrics-aggregator",
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${Prefix}metrics-gateway": "metrics-gateway",
    "MskClusterArn": "cluster",
    "${Topics}/*": "topics",
    "${Topics}/${MetricsTopic}": "metrics topic",
    "${Groups}/*": "groups",
    "${Groups}/highwater.*": "our groups",
    "${Groups}/backbeat-metrics-group": "metrics group",
    "${Groups}/${Prefix}segment-writer.mapping.*": "event groups",
    "${Groups}/${Prefix}metrics-consumer.mapping": "metrics-consumer's mapping",
    "${Ids}/*": "transactional ids",
    "SettingsSecretArns": "settings' secrets",
    "KafkaSecretKmsKeyArn": "secrets' key",
    "LocationBucketArns": "locations' buckets",
    "each LocationBucketArns/*": "locations",
    "Failures.Arn": "failures",
}
