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
# MSK that lets the functions in by their roles, and an ElastiCache that the stack makes.
BY_ROLE = {
    "Prefix": "role-",
    "Topics": "orders",
    "BucketName": "my-bucket",
    "MskClusterArn": FULL["MskClusterArn"],
    "KafkaSecurityProtocol": "sasl_ssl",
    "KafkaSaslMechanism": "AWS_MSK_IAM",
    "EventTopic1": "orders",
    "VpcId": FULL["VpcId"],
    "SubnetIds": FULL["SubnetIds"],
}
# An own cluster, whose authority is in a layer and whose login is in the file.
BY_FILE = {
    "Prefix": "file-",
    "Topics": '["orders", "/a{1,2}/"]',
    "BucketName": "my-bucket",
    "ConfigKey": "highwater.toml",
    "SettingsSecretArns": f"{KAFKA_SECRET},{REDIS_SECRET}",
    "LocationBucketArns": "arn:aws:s3:::one,arn:aws:s3:::two",
    "LayerArns": ARN("lambda", "layer:authorities:1"),
    "KafkaBootstrapServers": "broker-1:9093",
    "KafkaSecurityProtocol": "sasl_ssl",
    "KafkaSaslMechanism": "OAUTHBEARER",
    "RedisUrlSecretArn": REDIS_SECRET,
}
# What the objects at ConfigKey hold; a secret stands for its ARN. The brokers are in it for the functions that are told none.
CONFIGURATIONS = {
    FULL["ConfigKey"]: """
[backups.other]
topics = { include = ["other-*"] }
""",
    BY_FILE["ConfigKey"]: """
[kafka]
bootstrap_servers = "broker-1:9093"
security_protocol = "sasl_ssl"
sasl_mechanism = "OAUTHBEARER"
sasl_username = "highwater"
sasl_password = "secret"
sasl_oauth_token_url = "https://login.example.com/token"
ssl_ca_location = "/opt/ca.pem"
[locations.paris]
url = "s3://one/backups"
""",
}
ALL = {"SMALLEST": SMALLEST, "FULL": FULL, "BY_ROLE": BY_ROLE, "BY_FILE": BY_FILE}
# What is no value of a parameter.
REFUSED = [
    ("Topics", "orders payments"),
    ("Topics", "orders,,payments"),
    ("Topics", "/pay(ment)?s"),
    ("ExcludedTopics", "a;b"),
    ("SubnetIds", "subnet-0a1b2c3d,vpc-0a1b2c3d"),
    ("SettingsSecretArns", f"{KAFKA_SECRET},password"),
    ("LocationBucketArns", "s3://one"),
    ("LayerArns", ARN("lambda", "layer:authorities")),
]
# What the linter takes for the parameters that have no default, of these deployments together: it looks at every branch.
EVERY_BRANCH = BY_FILE | FULL | SMALLEST | {
    "KmsKeyArn": ARN("kms", "key/6a1d7c1e-1111-2222-3333-444455556666"),
    "KafkaAuthoritySecretArn": KAFKA_SECRET,
    "KafkaCertificateSecretArn": KAFKA_SECRET,
}
