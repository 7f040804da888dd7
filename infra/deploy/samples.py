"""Deployments as somebody would make them: parameters of the template."""

REGION, ACCOUNT = "us-east-1", "123456789012"
ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}".format
KAFKA_SECRET = ARN("secretsmanager", "secret:AmazonMSK_highwater-AbCdEf")
REDIS_SECRET = ARN("secretsmanager", "secret:redis-AbCdEf")

# An own cluster without a login, an existing bucket and an existing Redis.
SMALLEST = {
    "Topics": "orders-*,/pay(ment)?s/",
    "BucketName": "my-bucket",
    "KafkaBootstrapServers": "broker-1:9092,broker-2:9092",
    "KafkaSecurityProtocol": "plaintext",
    "RedisUrlSecretArn": REDIS_SECRET,
}
# MSK with a login, everything else made by the stack, and every option taken.
FULL = {
    "Prefix": "prod-",
    "Architecture": "x86_64",
    "Backup": "main",
    "Topics": "orders-*",
    "ExcludedTopics": "*-tmp",
    "DeleteAfter": "30d",
    "ConfigKey": "settings/highwater.toml",
    "SchemaRegistryUrl": "https://registry.example.com",
    "Shards": "10",
    "WriterConcurrency": "12",
    "ObjectLockDays": "7",
    "MskClusterArn": ARN("kafka", "cluster/orders/6a1d7c1e-1111-2222-3333-444455556666-5"),
    "KafkaSecurityProtocol": "sasl_ssl",
    "KafkaSecretArn": KAFKA_SECRET,
    "KafkaSecretKmsKeyArn": ARN("kms", "key/7b1d7c1e-1111-2222-3333-444455556666"),
    "MetricsBy": "mapping",
    "EventTopic1": "orders-eu",
    "EventTopic2": "orders-us",
    "EventTopic3": "orders-asia",
    "ProvisionedPollers": "2",
    "VpcId": "vpc-0a1b2c3d",
    "SubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e",
    "KafkaSecurityGroupId": "sg-0a1b2c3d",
    "AlarmTopicArn": ARN("sns", "alarms"),
}
ALL = {"SMALLEST": SMALLEST, "FULL": FULL}
# What the linter takes for the parameters that have no default, of both deployments together: it looks at every branch.
EVERY_BRANCH = FULL | SMALLEST | {"KmsKeyArn": ARN("kms", "key/6a1d7c1e-1111-2222-3333-444455556666")}
