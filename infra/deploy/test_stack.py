"""Stacks of the template, made by moto: what their functions are told. moto refuses Kafka mappings and knows neither
function URLs nor ElastiCache nor generated secrets, so without them."""

import io
import json
import logging
import os
import re
import subprocess
import unittest
import warnings
import zipfile

import boto3
import moto

import samples
import workspace
from deployment import Deployment
from translate import CODE_BUCKET, sam_template, translate

HIGHWATER = os.environ.get("HIGHWATER_BINARY", str(workspace.ROOT / "target/debug/highwater"))
# What is needed of the settings, by port: one of the alternatives.
REQUIRED = {
    "kafka": [{"KAFKA_BOOTSTRAP_SERVERS", "HIGHWATER_KAFKA_SECURITY_PROTOCOL"}, {"HIGHWATER_KAFKA_MSK_CLUSTER_ARN", "HIGHWATER_KAFKA_SECURITY_PROTOCOL"}],
    "storage": [{"STORAGE_URL"}],
    "storage to read": [{"STORAGE_URL"}],
    "redis": [{"REDIS_URL"}],
    "invoker": [{"HIGHWATER_LAMBDA_FUNCTION_PREFIX"}],
    "function_gateway": [{"HIGHWATER_LAMBDA_FUNCTION_PREFIX"}],
    # In the file, or nowhere.
    "locations": [set()],
}
# Of secrets a function is told those of its ports only.
SECRETS = {"HIGHWATER_KAFKA_SASL_USERNAME": "kafka", "HIGHWATER_KAFKA_SASL_PASSWORD": "kafka", "REDIS_URL": "redis"}


def client(service):
    return boto3.client(service, region_name=samples.REGION)


LEFT_OUT = {"AWS::Lambda::EventSourceMapping", "AWS::Lambda::Url"}
# What CloudFormation would put in the place of what moto does not make.
MADE = {"${Redis.PrimaryEndPoint.Address}": "redis.example", "${RedisSecret}": samples.REDIS_SECRET}


def for_moto(template, parameters):
    """What moto makes of a template: with the conditions' choices made, because it keeps those for nothing as null."""
    made = {name: resource for name, resource in Deployment(template, parameters).resources() if resource["Type"] not in LEFT_OUT}
    outputs = {name: output for name, output in template["Outputs"].items() if "FunctionUrl" not in json.dumps(output)}
    text = json.dumps(template | {"Resources": made, "Outputs": outputs})
    for name, value in MADE.items():
        text = text.replace(name, value)
    return text


def prepare_account():
    """What a deployment finds: the packages, secrets, an existing bucket, a VPC with two subnets."""
    s3 = client("s3")
    for bucket in (CODE_BUCKET, samples.SMALLEST["BucketName"]):
        s3.create_bucket(Bucket=bucket)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    for function in workspace.functions():
        s3.put_object(Bucket=CODE_BUCKET, Key=f"{function}.zip", Body=package.getvalue())
    secrets = client("secretsmanager")
    kafka = secrets.create_secret(Name="AmazonMSK_highwater", SecretString=json.dumps({"username": "backup", "password": "canary-1"}))
    redis = secrets.create_secret(Name="redis", SecretString="rediss://:canary-2@redis.example:6379")
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"] for n in (1, 2)]
    group = ec2.create_security_group(GroupName="kafka", Description="brokers", VpcId=vpc)["GroupId"]
    made = {"RedisUrlSecretArn": redis["ARN"], "KafkaSecretArn": kafka["ARN"], "VpcId": vpc, "SubnetIds": ",".join(subnets), "KafkaSecurityGroupId": group}
    return {name: sample | {key: value for key, value in made.items() if key in sample} for name, sample in samples.ALL.items()}


def deploy(name, parameters):
    cloudformation = client("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=for_moto(translate(sam_template()), parameters),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]


def environments(prefix):
    """What each function of a stack is told, by the crates' names."""
    functions = client("lambda").list_functions()["Functions"]
    mine = [function for function in functions if function["FunctionName"].startswith(prefix)]
    return {function["FunctionName"].removeprefix(prefix): function["Environment"]["Variables"] for function in mine}


def config_problems(environment):
    """What `highwater config check` says of an environment, with the configuration that its object would have."""
    answer = subprocess.run([HIGHWATER, "config", "check", "--json"], env=resolved(environment), capture_output=True, text=True, check=False)
    checked = json.loads(answer.stdout)
    return checked["problems"] + checked["warnings"]


def resolved(environment):
    """With what CloudFormation puts in the place of secrets' names, and the text of the object that is the configuration."""
    told = {name: re.sub(r"\{\{resolve:secretsmanager:[^{}]*\}\}", "secret", value) for name, value in environment.items()}
    if told.get("REDIS_URL") == "secret":
        told["REDIS_URL"] = "rediss://:secret@redis.example:6379"
    if "HIGHWATER_CONFIG" in told:
        told["HIGHWATER_CONFIG"] = samples.CONFIGURATIONS[told["HIGHWATER_CONFIG"].split("/", 3)[3]]
    return told


class Stacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # moto says at length what it leaves out.
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        cls.aws = moto.mock_aws()
        cls.aws.start()
        cls.deployments = prepare_account()
        cls.stacks = {name: deploy(name, parameters) for name, parameters in cls.deployments.items()}
        cls.environments = {
            name: environments(parameters.get("Prefix", "highwater-")) for name, parameters in cls.deployments.items()
        }

    @classmethod
    def tearDownClass(cls):
        cls.aws.stop()

    def each_function(self):
        return [(function, environment) for told in self.environments.values() for function, environment in told.items()]

    def test_have_every_function(self):
        for name, told in self.environments.items():
            self.assertEqual(self.stacks[name]["StackStatus"], "CREATE_COMPLETE")
            self.assertEqual(sorted(told), workspace.functions())

    def test_tell_a_function_every_setting_that_it_requires(self):
        for function, environment in self.each_function():
            for port in workspace.ports(function):
                self.assertTrue(any(wanted <= environment.keys() for wanted in REQUIRED[port]), f"{port} of {function}: {sorted(environment)}")

    def test_tell_a_function_no_secret_that_it_does_not_use(self):
        for function, environment in self.each_function():
            for variable, port in SECRETS.items():
                if variable in environment:
                    self.assertIn(port, workspace.ports(function))

    def test_set_known_settings_to_values_that_are_taken(self):
        for function, environment in self.each_function():
            self.assertEqual(config_problems(environment), [], function)

    def test_a_setting_that_does_not_exist_would_be_found(self):
        _, environment = self.each_function()[0]
        problems = config_problems(environment | {"HIGHWATER_METRICS_TOPIK": "x"})
        self.assertTrue(any("HIGHWATER_METRICS_TOPIK" in problem for problem in problems), problems)

    def test_tell_how_to_log_in(self):
        logs_in = {name: told["segment-writer"].get("HIGHWATER_KAFKA_SASL_MECHANISM") for name, told in self.environments.items()}
        self.assertEqual(logs_in, {"SMALLEST": None, "FULL": "SCRAM-SHA-512", "BY_ROLE": "AWS_MSK_IAM", "BY_FILE": "OAUTHBEARER"})
        self.assertIn("HIGHWATER_KAFKA_SASL_PASSWORD", self.environments["FULL"]["segment-writer"])
        for name in ("BY_ROLE", "BY_FILE"):
            self.assertNotIn("HIGHWATER_KAFKA_SASL_PASSWORD", self.environments[name]["segment-writer"])

    def test_refer_to_secrets_and_never_hold_them(self):
        secrets = [environment[variable] for _, environment in self.each_function() for variable in SECRETS if variable in environment]
        self.assertTrue(secrets)
        for secret in secrets:
            self.assertRegex(secret, r"^(rediss://:)?\{\{resolve:secretsmanager:arn:aws:secretsmanager:[^{}]+\}\}(@redis\.example:6379)?$")

    def test_say_where_the_backups_are(self):
        outputs = {output["OutputKey"]: output["OutputValue"] for output in self.stacks["SMALLEST"]["Outputs"]}
        self.assertEqual(outputs["BackupsUrl"], "s3://my-bucket/backups")
        self.assertEqual(outputs.keys(), {"BackupsUrl", "FailuresUrl", "Restorer"})

    def test_each_shard_has_a_target(self):
        events = client("events")
        targets = {}
        for rule in events.list_rules()["Rules"]:
            for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                if "shard" in target.get("Input", ""):
                    targets.setdefault(rule["Name"].split("-")[0], []).append(json.loads(target["Input"]))
        self.assertEqual(targets["SMALLEST"], [{"backup": "main", "shard": {"index": 0, "count": 1}}])
        shards = sorted(target["shard"]["index"] for target in targets["FULL"])
        self.assertEqual((shards, {target["shard"]["count"] for target in targets["FULL"]}), (list(range(10)), {10}))


if __name__ == "__main__":
    unittest.main()
