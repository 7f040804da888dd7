"""What the template deploys: every function, with what it needs and no more, and only what AWS takes."""

import copy
import itertools
import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml
from cfnlint.config import ConfigMixIn
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

import permissions
import samples
import workspace
from deployment import Deployment
from translate import TEMPLATE, sam_template, translate

HERE = Path(__file__).resolve().parent
TRANSLATED = translate(sam_template())


def with_samples(template, values=samples.EVERY_BRANCH):
    """The template with these values for its parameters' defaults, so that the linter checks them in their places."""
    template = copy.deepcopy(template)
    for name, value in values.items():
        template["Parameters"][name]["Default"] = value
    return template


def lint(template):
    """What cfn-lint says of a translated template."""
    decoded, errors = decode_str(json.dumps(with_samples(template)))
    if errors:
        return [str(error) for error in errors]
    runner = Runner(ConfigMixIn(regions=[samples.REGION]))
    return sorted({f"{match.rule.id} {match.message}" for match in runner.validate_template(decoded)})


def resources(kind, template=TRANSLATED):
    found = template["Resources"].items()
    return {name: resource for name, resource in found if resource["Type"] == kind}


def lambdas(template=TRANSLATED):
    """The functions by their crates' names: (logical name, properties)."""
    return {
        resource["Properties"]["FunctionName"]["Fn::Sub"].removeprefix("${Prefix}"): (name, resource["Properties"])
        for name, resource in resources("AWS::Lambda::Function", template).items()
    }


def mapped(template=TRANSLATED):
    """The logical names of the functions that Kafka starts."""
    mappings = resources("AWS::Lambda::EventSourceMapping", template).values()
    return {mapping["Properties"]["FunctionName"]["Ref"] for mapping in mappings}


def telling(template=TRANSLATED):
    """The logical names of the functions whose failed runs are told to the queue of failures."""
    configurations = [resource["Properties"] for resource in resources("AWS::Lambda::EventInvokeConfig", template).values()]
    destination = {"OnFailure": {"Destination": {"Fn::GetAtt": ["Failures", "Arn"]}}}
    return {it["FunctionName"]["Ref"] for it in configurations if it.get("DestinationConfig") == destination}


def limited():
    """The logical names of the functions of which only so many run at once."""
    return {name for name, properties in lambdas().values() if "ReservedConcurrentExecutions" in properties}


# Parameters that decide on permissions; of each list one choice.
CHOICES = [
    [samples.SMALLEST],
    [{}, {"KafkaBootstrapServers": "", "MskClusterArn": samples.FULL["MskClusterArn"]}],
    [{}, {name: samples.FULL[name] for name in ("VpcId", "SubnetIds")}],
    [{}, {"ConfigKey": samples.FULL["ConfigKey"]}],
    [{}, {"EventTopic1": "orders", "MetricsBy": "mapping"}],
    [
        {},
        {"KafkaSecurityProtocol": "sasl_ssl", "KafkaSecretArn": samples.KAFKA_SECRET},
        {"KafkaSecurityProtocol": "sasl_ssl", "KafkaSecretArn": samples.KAFKA_SECRET, "KafkaSecretKmsKeyArn": samples.FULL["KafkaSecretKmsKeyArn"]},
        {"KafkaSecurityProtocol": "sasl_ssl", "KafkaSaslMechanism": "AWS_MSK_IAM"},
        {"KafkaSecurityProtocol": "ssl", "KafkaCertificateSecretArn": samples.KAFKA_SECRET, "KafkaSecretKmsKeyArn": samples.FULL["KafkaSecretKmsKeyArn"]},
    ],
    [{}, {"KafkaAuthoritySecretArn": samples.KAFKA_SECRET}],
    [{}, {"SettingsSecretArns": samples.REDIS_SECRET, "LocationBucketArns": "arn:aws:s3:::one,arn:aws:s3:::two"}],
]


def deployments(template=TRANSLATED):
    """Every combination of these that the template's rules allow."""
    for choice in itertools.product(*CHOICES):
        deployment = Deployment(template, dict(itertools.chain.from_iterable(part.items() for part in choice)))
        if not list(deployment.broken_rules()):
            yield deployment


def wrong_permissions(template):
    """What a role may not that its function does, and what it may and does not, in any deployment."""
    wrong = set()
    functions = {crate: (name, properties["Role"]["Fn::GetAtt"][0], workspace.ports(crate)) for crate, (name, properties) in lambdas(template).items()}
    for deployment in deployments(template):
        made = dict(deployment.resources("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"))
        starts, tell = mapped({"Resources": made}), telling({"Resources": made})
        for crate, (name, role, ports) in functions.items():
            has, needs = permissions.granted(role, made), permissions.needed(crate, ports, name in starts, name in tell, deployment.values)
            wrong |= {f"{crate} needs {action} on {resource}" for action, resource in needs - has}
            wrong |= {f"{crate} has {action} on {resource}" for action, resource in has - needs}
    return sorted(wrong)


class EveryFunction(unittest.TestCase):
    def test_is_in_the_template(self):
        self.assertEqual(sorted(lambdas()), workspace.functions(), "add the function, its role, log group and alarm to infra/template.yaml")

    def test_has_a_role_of_its_own(self):
        roles = [properties["Role"]["Fn::GetAtt"][0] for _, properties in lambdas().values()]
        self.assertEqual(len(roles), len(set(roles)))
        self.assertEqual(set(roles), resources("AWS::IAM::Role").keys())

    def test_may_do_what_it_does_and_nothing_else(self):
        self.assertEqual(wrong_permissions(TRANSLATED), [])

    def test_has_a_log_group_that_is_emptied_and_an_alarm(self):
        alarms = error_alarms()
        for crate, (name, properties) in lambdas().items():
            group = TRANSLATED["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
            self.assertEqual(group["LogGroupName"], {"Fn::Sub": f"/aws/lambda/${{Prefix}}{crate}"})
            self.assertEqual(group["RetentionInDays"], {"Ref": "LogRetentionDays"})
            self.assertIn(name, alarms)

    def test_takes_the_package_of_its_own_name(self):
        for crate, (_, properties) in lambdas().items():
            self.assertEqual(properties["Code"]["S3Key"], f"{crate}.zip")

    def test_has_the_files_that_the_configuration_names(self):
        for _, properties in lambdas().values():
            self.assertEqual(properties["Layers"], {"Fn::If": ["HasLayers", {"Ref": "LayerArns"}, {"Ref": "AWS::NoValue"}]})

    def test_has_a_deployment_with_something_that_starts_it(self):
        started = {name for name, *_ in (target["Arn"]["Fn::GetAtt"] for target in schedule_targets())} | mapped()
        started |= {url["Properties"]["TargetFunctionArn"]["Ref"] for url in resources("AWS::Lambda::Url").values()}
        # By metrics-consumer, and by people.
        started |= {"MetricsAggregator", "SegmentRestorer"}
        self.assertEqual(started, {name for name, _ in lambdas().values()})


def error_alarms(template=TRANSLATED):
    """The alarms on failed runs, by the logical names of their functions."""
    alarms = [alarm["Properties"] for alarm in resources("AWS::CloudWatch::Alarm", template).values()]
    return {alarm["Dimensions"][0]["Value"]["Ref"]: alarm for alarm in alarms if alarm["MetricName"] == "Errors"}


def schedules(template=TRANSLATED):
    """Each function that a schedule starts: (its logical name, how many seconds lie between two runs). A rate that is a parameter may be any."""
    for rule in resources("AWS::Events::Rule", template).values():
        rate = rule["Properties"]["ScheduleExpression"]
        number, unit = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", rate if isinstance(rate, str) else "rate(365 days)").groups()
        for target in rule["Properties"]["Targets"]:
            name = target.get("Fn::If", [None, target])[1]["Arn"]["Fn::GetAtt"][0]
            yield name, int(number) * {"minute": 60, "hour": 3600, "day": 86400}[unit]


def silent_alarms(template):
    """Functions of which a schedule's runs may fail, each of them, without an alarm: too few fall into the time that it looks at."""
    alarms = error_alarms(template)
    for name, between_s in schedules(template):
        alarm = alarms[name]
        periods, failed_periods_min = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        if failed_periods_min > 1 and max(between_s, alarm["Period"]) * failed_periods_min > alarm["Period"] * periods:
            yield f"{name} each {between_s} s"


def schedule_targets():
    for rule in resources("AWS::Events::Rule").values():
        for target in rule["Properties"]["Targets"]:
            yield target["Fn::If"][1] if "Fn::If" in target else target


class Permissions(unittest.TestCase):
    def test_every_operation_of_the_adapters_is_in_the_table_and_no_other(self):
        self.assertEqual(workspace.aws_operations(), permissions.OPERATIONS.keys(), "infra/deploy/permissions.py says what each operation needs")

    def test_every_operation_of_the_ports_to_kafka_is_in_the_table_and_no_other(self):
        self.assertEqual(workspace.kafka_port(), permissions.KAFKA.keys(), "infra/deploy/permissions.py says what each operation needs")

    def test_shared_code_that_calls_kafka_is_counted_to_functions(self):
        counted = set().union(*workspace.SHARED.values())
        self.assertEqual(counted, workspace.shared_with_kafka().keys(), "infra/deploy/workspace.py says which functions share it")

    def test_no_role_may_do_everything_or_touch_everything(self):
        for deployment in deployments():
            made = dict(deployment.resources("AWS::IAM::Role", "AWS::IAM::Policy"))
            for role in resources("AWS::IAM::Role"):
                for action, resource in permissions.granted(role, made):
                    self.assertNotIn("*", action)
                    self.assertTrue(resource != "*" or action in permissions.WITHOUT_RESOURCE, f"{action} on {resource}")

    def test_who_may_read_objects_is_told_of_one_that_is_not_there(self):
        """Without s3:ListBucket S3 answers 403 where there is no object, and a GET says no prefix."""
        for name, role in resources("AWS::IAM::Role").items():
            statements = [part for policy in role["Properties"]["Policies"] for part in policy["PolicyDocument"]["Statement"]]
            lists = [part for part in statements if part.get("Action") == "s3:ListBucket"]
            self.assertEqual(len(lists), any("Backups" in part.get("Sid", "") and "s3:GetObject" in part["Action"] for part in statements), name)
            for part in lists:
                self.assertEqual(part["Condition"].keys(), {"StringLikeIfExists"})

    def test_urls_are_never_open(self):
        for url in resources("AWS::Lambda::Url").values():
            self.assertEqual(url["Properties"]["AuthType"], "AWS_IAM")


class Schedules(unittest.TestCase):
    def test_each_may_start_its_function(self):
        permitted = {(permission["Properties"]["FunctionName"]["Ref"], permission["Properties"]["SourceArn"]["Fn::GetAtt"][0])
                     for permission in resources("AWS::Lambda::Permission").values() if permission["Properties"]["Principal"] == "events.amazonaws.com"}
        rules = {(target["Arn"]["Fn::GetAtt"][0], name) for name, rule in resources("AWS::Events::Rule").items()
                 for target in [rule["Properties"]["Targets"][0].get("Fn::If", [None, rule["Properties"]["Targets"][0]])[1]]}
        self.assertEqual(permitted, rules)

    def test_whose_runs_all_fail_raise_the_alarm_of_their_function(self):
        self.assertEqual(list(silent_alarms(TRANSLATED)), [])
        text = {True: "failed. Its log group", False: "failed in three of five minutes. Its log group"}
        for alarm in error_alarms().values():
            self.assertLessEqual(alarm["Period"] * alarm["EvaluationPeriods"], 86400, "CloudWatch looks no further back")
            self.assertIn(text[alarm["EvaluationPeriods"] == 1], alarm["AlarmDescription"]["Fn::Sub"])

    def test_tell_where_they_cannot(self):
        for target in schedule_targets():
            self.assertEqual(target["DeadLetterConfig"], {"Arn": {"Fn::GetAtt": ["Failures", "Arn"]}})


    def test_whose_runs_are_rare_or_find_room_tell_which_failed(self):
        """Of the others, which run each minute and alone, events are dropped in good health: while a run is longer than a minute."""
        each_minute = {name for name, between_s in schedules() if between_s == 60}
        self.assertEqual(telling(), {name for name, _ in schedules()} - (each_minute & limited()))

    def test_are_not_tried_again_and_a_rarer_one_waits_for_a_long_run(self):
        configurations = [it["Properties"] for it in resources("AWS::Lambda::EventInvokeConfig").values()]
        by_function = {it["FunctionName"]["Ref"]: it for it in configurations}
        for name, between_s in schedules():
            self.assertEqual(by_function[name]["MaximumRetryAttempts"], 0)
            if name in limited():
                self.assertGreaterEqual(by_function[name]["MaximumEventAgeInSeconds"], min(between_s, 3600), name)

    def test_whose_shards_wait_for_each_other_raise_an_alarm(self):
        alarm = TRANSLATED["Resources"]["SegmentWriterThrottles"]["Properties"]
        self.assertEqual((alarm["MetricName"], alarm["Dimensions"][0]["Value"]), ("Throttles", {"Ref": "SegmentWriter"}))


class Mappings(unittest.TestCase):
    """See aws/serverless-application-model#2546: a group under another property is ignored, and each mapping starts anew."""

    MAPPINGS = resources("AWS::Lambda::EventSourceMapping")

    def groups(self):
        for mapping in self.MAPPINGS.values():
            properties = mapping["Properties"]
            msk, own = properties["AmazonManagedKafkaEventSourceConfig"], properties["SelfManagedKafkaEventSourceConfig"]
            yield msk["Fn::If"][1]["ConsumerGroupId"]["Fn::Sub"], own["Fn::If"][2]["ConsumerGroupId"]["Fn::Sub"]

    def test_have_a_fixed_group_of_their_own_whichever_the_cluster(self):
        groups = list(self.groups())
        self.assertEqual(len(groups), 4)
        self.assertTrue(all(msk == own for msk, own in groups))
        self.assertEqual(len(set(groups)), len(groups))

    def test_have_another_group_than_the_functions_commit_to(self):
        for group, _ in self.groups():
            self.assertTrue(group.startswith("${Prefix}") and ".mapping" in group, group)
            for own in ("highwater.main", "backbeat-metrics-group"):
                self.assertNotEqual(group.replace("${Prefix}", "highwater-"), own)

    def test_begin_at_the_beginning_and_never_give_a_record_up(self):
        for mapping in self.MAPPINGS.values():
            properties = mapping["Properties"]
            self.assertEqual(properties["StartingPosition"], "TRIM_HORIZON")
            for given_up in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "FilterCriteria"):
                self.assertNotIn(given_up, properties)

    def test_log_in_and_trust_by_the_secrets_that_are_given(self):
        login = {"KafkaSecurityProtocol": "sasl_ssl", "KafkaSecretArn": samples.KAFKA_SECRET}
        for given, types in [
            ({}, None),
            (login, ["SASL_SCRAM_512_AUTH"]),
            (login | {"KafkaSaslMechanism": "PLAIN", "KafkaAuthoritySecretArn": samples.KAFKA_SECRET}, ["BASIC_AUTH", "SERVER_ROOT_CA_CERTIFICATE"]),
            ({"KafkaSecurityProtocol": "ssl", "KafkaCertificateSecretArn": samples.KAFKA_SECRET}, ["CLIENT_CERTIFICATE_TLS_AUTH"]),
            ({"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2"}, ["VPC_SUBNET", "VPC_SUBNET", "VPC_SECURITY_GROUP"]),
        ]:
            deployment = Deployment(TRANSLATED, samples.SMALLEST | {"EventTopic1": "a", "EventTopic2": "b", "EventTopic3": "c", "MetricsBy": "mapping"} | given)
            made = dict(deployment.resources("AWS::Lambda::EventSourceMapping"))
            self.assertEqual(len(made), 4)
            for mapping in made.values():
                accesses = mapping["Properties"].get("SourceAccessConfigurations")
                self.assertEqual([it["Type"] for it in accesses] if accesses else None, types)

    def test_expect_partial_answers_where_the_function_gives_them(self):
        expected = {"Fn::If": ["IsProvisioned", ["ReportBatchItemFailures"], {"Ref": "AWS::NoValue"}]}
        gives = {name: workspace.answers_partially(crate) for crate, (name, _) in lambdas().items()}
        for name, mapping in self.MAPPINGS.items():
            function = mapping["Properties"]["FunctionName"]["Ref"]
            self.assertEqual(mapping["Properties"].get("FunctionResponseTypes"), expected if gives[function] else None, name)
        self.assertEqual([name for name, does in gives.items() if does], ["SegmentWriter"])
        _, writer = lambdas()["segment-writer"]
        setting = writer["Environment"]["Variables"]["HIGHWATER_LAMBDA_REPORT_BATCH_ITEM_FAILURES"]
        self.assertEqual(setting, {"Fn::If": ["IsProvisioned", "true", "false"]})

    def test_of_one_topic_do_not_depend_on_those_of_others(self):
        """So that adding a topic changes no mapping that is there: a changed one is made anew, beside the old one (409)."""
        for name, mapping in self.MAPPINGS.items():
            topics = [parameter for parameter in TRANSLATED["Parameters"] if parameter.startswith("EventTopic") and parameter in json.dumps(mapping)]
            self.assertEqual(topics, [name.replace("Mapping", "Topic")] if name.startswith("EventMapping") else [])


    def test_are_not_made_anew_for_another_topic(self):
        """docs/deploying.md says so, and how to change a topic all the same: mend it when CloudFormation does."""
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(samples.REGION, "AWS::Lambda::EventSourceMapping").schema
        self.assertEqual(set(schema["createOnlyProperties"]), {f"/properties/{name}" for name in ("EventSourceArn", "SelfManagedEventSource", "StartingPosition", "StartingPositionTimestamp")})


class Network(unittest.TestCase):
    def test_functions_reach_aws_and_the_ports_that_parameters_name(self):
        rules = TRANSLATED["Resources"]["FunctionsSecurityGroup"]["Properties"]["SecurityGroupEgress"]
        ports = [tuple(port["Ref"] if isinstance(port, dict) else port for port in (rule["FromPort"], rule["ToPort"])) for rule in rules]
        self.assertEqual(ports, [(443, 443), ("KafkaPortMin", "KafkaPortMax"), ("RedisPort", "RedisPort"), ("OtherPortMin", "OtherPortMax")])

    def test_redis_has_the_port_that_functions_may_reach(self):
        redis, group = (TRANSLATED["Resources"][name]["Properties"] for name in ("Redis", "RedisSecurityGroup"))
        ingress = group["SecurityGroupIngress"][0]
        self.assertEqual([redis["Port"], ingress["FromPort"], ingress["ToPort"]], [{"Ref": "RedisPort"}] * 3)
        self.assertNotIn("6379", json.dumps(TRANSLATED["Resources"]))


class Figures(unittest.TestCase):
    def test_are_logged_under_the_names_that_the_filters_look_for(self):
        logged = workspace.main_of("lag-monitor")
        filters = resources("AWS::Logs::MetricFilter")
        self.assertEqual(len(filters), 5)
        for figure in filters.values():
            (field,) = re.fullmatch(r'\{ \(\$\.message = "figures"\) && \(\$\.(\w+) >= 0\) \}', figure["Properties"]["FilterPattern"]).groups()
            self.assertIn(f"{field} = it.{field},", logged)
            (transformation,) = figure["Properties"]["MetricTransformations"]
            self.assertEqual((transformation["MetricValue"], transformation["MetricName"]), (f"$.{field}", {"Fn::Sub": f"${{Prefix}}{field}"}))

    def test_each_has_an_alarm(self):
        watched = {json.dumps(alarm["Properties"]["MetricName"]) for alarm in resources("AWS::CloudWatch::Alarm").values()}
        for figure in resources("AWS::Logs::MetricFilter").values():
            self.assertIn(json.dumps(figure["Properties"]["MetricTransformations"][0]["MetricName"]), watched)


class Parameters(unittest.TestCase):
    def test_have_a_description_and_a_default(self):
        for name, parameter in TRANSLATED["Parameters"].items():
            self.assertTrue(parameter.get("Description") and "Default" in parameter, name)
            if parameter["Type"] != "Number":
                self.assertTrue("AllowedPattern" in parameter or "AllowedValues" in parameter, name)

    def test_take_the_samples_and_refuse_what_is_misspelt(self):
        for sample in samples.ALL.values():
            self.assertEqual([name for name, value in sample.items() if not takes(name, value)], [])
        for name, value in samples.REFUSED:
            self.assertFalse(takes(name, value), f"{name}={value}")


def takes(name, value):
    """Whether a parameter takes a value, each item of a list for itself."""
    parameter = TRANSLATED["Parameters"][name]
    items = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    if "AllowedValues" in parameter:
        return value in map(str, parameter["AllowedValues"])
    return all(re.fullmatch(parameter.get("AllowedPattern", r"\d+"), item) for item in items)


# Parameters that a rule refuses, beside those of a sample, and how the rule says so.
REFUSED = [
    (samples.FULL, {"KafkaBootstrapServers": "broker:9092"}, "Give KafkaBootstrapServers or MskClusterArn"),
    (samples.SMALLEST, {"KafkaBootstrapServers": ""}, "Give KafkaBootstrapServers or MskClusterArn"),
    (samples.SMALLEST, {"Topics": ""}, "Give Topics, or a ConfigKey"),
    (samples.SMALLEST, {"Backup": "other"}, "Topics is of backup main"),
    (samples.SMALLEST, {"KafkaSecurityProtocol": "sasl_ssl"}, "A KafkaSecurityProtocol with sasl needs"),
    (samples.SMALLEST, {"KafkaSaslMechanism": "OAUTHBEARER"}, "KafkaSaslMechanism OAUTHBEARER needs"),
    (samples.FULL, {"KafkaSaslMechanism": "OAUTHBEARER"}, "Lambda's mappings log in with the KafkaSecretArn"),
    (samples.FULL, {"KafkaSecretArn": "", "MetricsBy": "schedule", "EventTopic1": "", "EventTopic2": ""}, "Lambda's mappings log in with the KafkaSecretArn"),
    (samples.FULL, {"KafkaAuthoritySecretArn": samples.KAFKA_SECRET}, "KafkaAuthoritySecretArn is for KafkaBootstrapServers"),
    (samples.FULL, {"KafkaCertificateSecretArn": samples.KAFKA_SECRET}, "KafkaCertificateSecretArn is a login of its own"),
    (samples.SMALLEST, {"KafkaSaslMechanism": "AWS_MSK_IAM"}, "KafkaSaslMechanism AWS_MSK_IAM needs"),
    (samples.FULL, {"VpcId": "", "RedisUrlSecretArn": samples.REDIS_SECRET}, "A mapping of an MSK cluster"),
    *((samples.FULL, {"Shards": str(n), "WriterConcurrency": str(n - 1)}, "WriterConcurrency is smaller than Shards") for n in range(2, 11)),
    (samples.SMALLEST, {"RedisUrlSecretArn": ""}, "Without RedisUrlSecretArn"),
]


class Rules(unittest.TestCase):
    def test_allow_what_works(self):
        public = {"KafkaBootstrapServers": "", "MskClusterArn": samples.FULL["MskClusterArn"]}
        for sample in [*samples.ALL.values(), samples.FULL | {"WriterConcurrency": samples.FULL["Shards"]}, samples.SMALLEST | public]:
            self.assertEqual(list(Deployment(TRANSLATED, sample).broken_rules()), [])

    def test_refuse_what_cannot_work_and_say_why(self):
        for sample, change, told in REFUSED:
            broken = list(Deployment(TRANSLATED, sample | change).broken_rules())
            self.assertTrue(len(broken) == 1 and broken[0].startswith(told), f"{change}: {broken}")
        every = {it["AssertDescription"] for rule in TRANSLATED["Rules"].values() for it in rule["Assertions"]}
        self.assertEqual([it for it in every if not any(it.startswith(told) for _, _, told in REFUSED)], [], "no test breaks these")


class Linters(unittest.TestCase):
    def test_cfn_lint_finds_nothing(self):
        self.assertEqual(lint(TRANSLATED), [])

    def test_checkov_finds_nothing(self):
        passed, failed = checkov(TRANSLATED)
        self.assertEqual(failed, set())
        # It has looked at what matters: public access of the bucket, stars in roles, encrypted environments.
        for check in ("CKV_AWS_53 AWS::S3::Bucket.Bucket", "CKV_AWS_63 AWS::IAM::Role.SegmentWriterRole", "CKV_AWS_173 AWS::Lambda::Function.SegmentWriter"):
            self.assertTrue(check in passed, check)


def checkov(template):
    """The checks of checkov that a translated template passes and fails; infra/deploy/checkov.yaml says which are left out, and why."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(template, file)
        file.flush()
        command = ["checkov", "--config-file", HERE / "checkov.yaml", "--file", file.name, "--output", "json", "--skip-download"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    checked = json.loads(answer.stdout)
    if checked["summary"]["parsing_errors"]:
        raise AssertionError(f"checkov could not read the template: {answer.stdout} {answer.stderr}")
    names = [{f"{check['check_id']} {check['resource']}" for check in checked["results"][kind]} for kind in ("passed_checks", "failed_checks")]
    return names[0], names[1]


# A mistake, as (what the template says, what it says then), and what the linter finds.
PLANTED = {
    "a runtime that does not exist": ("Runtime: provided.al2023", "Runtime: provided.bogus", "provided.bogus"),
    "a misspelt property": ("BatchSize: 10000", "BatchSiz: 10000", "BatchSiz"),
    "a reference to nothing": ("Arn: !GetAtt LagMonitor.Arn", "Arn: !GetAtt LagMonitr.Arn", "LagMonitr"),
    "a wrong starting position": ("StartingPosition: TRIM_HORIZON", "StartingPosition: NOPE", "NOPE"),
    "a condition that is not there": ("Condition: MapsMetrics", "Condition: MapsMetric", "MapsMetric"),
}


class PlantedMistakes(unittest.TestCase):
    """The checks bite: each of these is found."""

    def planted(self, *mistakes):
        text = TEMPLATE.read_text()
        for old, new in mistakes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return translate(sam_template(text))

    def test_are_found_by_the_linter(self):
        found = lint(self.planted(*((old, new) for old, new, _ in PLANTED.values())))
        for name, (_, _, mark) in PLANTED.items():
            self.assertTrue(any(mark in problem for problem in found), f"{name}: {found}")

    def test_a_name_that_stands_twice_is_found(self):
        with self.assertRaisesRegex(yaml.YAMLError, "LagMonitor stands twice"):
            self.planted(("\n  MetricsQuery:\n", "\n  LagMonitor:\n"))

    def test_an_alarm_that_can_never_be_raised_is_found(self):
        rare = self.planted(("ScheduleExpression: rate(1 minute)", "ScheduleExpression: rate(2 minutes)"))
        self.assertIn("SegmentWriter each 120 s", list(silent_alarms(rare)))
        patient = self.planted(("Period: 3600\n      EvaluationPeriods: 1", "Period: 60\n      EvaluationPeriods: 5\n      DatapointsToAlarm: 3"))
        self.assertEqual(sorted(silent_alarms(patient)), ["BackupVerifier each 86400 s", "ObjectReplicator each 3600 s", "SchemaArchiver each 3600 s", "SegmentExpirer each 3600 s"])

    def test_a_star_for_a_resource_is_found(self):
        wrong = wrong_permissions(self.planted(("Resource: !GetAtt SegmentWriterLog.Arn", 'Resource: "*"')))
        self.assertIn("segment-writer has logs:PutLogEvents on *", wrong)

    def test_a_star_for_an_action_is_found(self):
        wrong = wrong_permissions(self.planted(("InvokeAggregator\n                Effect: Allow\n                Action: lambda:InvokeFunction", "InvokeAggregator\n                Effect: Allow\n                Action: lambda:*")))
        self.assertEqual(wrong, ["metrics-consumer has lambda:* on metrics-aggregator", "metrics-consumer needs lambda:InvokeFunction on metrics-aggregator"])

    def test_a_star_beside_a_resource_is_found(self):
        wrong = wrong_permissions(self.planted(("Resource: !Ref MskClusterArn", 'Resource: ["*", !Ref MskClusterArn]')))
        self.assertIn("lag-monitor has kafka:GetBootstrapBrokers on *", wrong)

    def test_the_log_of_another_function_is_found(self):
        wrong = wrong_permissions(self.planted(("Resource: !GetAtt LagMonitorLog.Arn", "Resource: !GetAtt SegmentWriterLog.Arn")))
        self.assertIn("lag-monitor has logs:PutLogEvents on SegmentWriterLog.Arn", wrong)

    def test_a_permission_that_is_missing_or_left_over_in_some_deployments_only_is_found(self):
        network = ("- !If\n            - InVpc\n            - Sid: FindNetwork", "- !If\n            - IsMsk\n            - Sid: FindNetwork")
        self.assertIn("segment-writer needs ec2:DescribeSubnets on *", wrong_permissions(self.planted(network)))
        login = ("- !If\n            - MappingHasSecret\n            - Sid: LogIn", "- !If\n            - HasAuthority\n            - Sid: LogIn")
        self.assertIn("metrics-consumer needs secretsmanager:GetSecretValue on KafkaSecretArn", wrong_permissions(self.planted(login)))
        always = wrong_permissions(self.planted(("Condition: HasSettingsSecrets\n", "Condition: HasConfig\n")))
        self.assertIn("lag-monitor has secretsmanager:GetSecretValue on settings' secrets", always)
        nobody = wrong_permissions(self.planted(("        - !Ref LagMonitorRole\n", "")))
        self.assertEqual(nobody, ["lag-monitor needs kms:Decrypt on secrets' key", "lag-monitor needs secretsmanager:GetSecretValue on settings' secrets"])

    def test_the_login_read_without_a_mapping_is_found(self):
        text = ("    Condition: MapsMetrics\n    Properties:\n      PolicyName: mapping", "    Properties:\n      PolicyName: mapping")
        self.assertIn("metrics-consumer has secretsmanager:GetSecretValue on KafkaSecretArn", wrong_permissions(self.planted(text)))

    def test_a_destination_without_the_right_to_send_is_found(self):
        wrong = wrong_permissions(self.planted(("      EventInvokeConfig: {MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60}",
                                                "      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failures.Arn}}}")))
        self.assertIn("lag-monitor needs sqs:SendMessage on failures", wrong)

    def test_a_cluster_opened_wider_than_a_function_needs_is_found(self):
        wrong = wrong_permissions(self.planted(('"${Topics}/${MetricsTopic}"', '"${Topics}/*"')))
        self.assertIn("metrics-gateway has kafka-cluster:WriteData on topics", wrong)

    def test_an_operation_without_its_permission_is_found(self):
        wrong = wrong_permissions(self.planted(("[s3:GetObject, s3:PutObject, s3:DeleteObject]", "[s3:GetObject, s3:PutObject]")))
        self.assertIn("segment-expirer needs s3:DeleteObject on backups", wrong)

    def test_a_permission_without_its_operation_is_found(self):
        wrong = wrong_permissions(self.planted(("[s3:GetObject, s3:PutObject, s3:DeleteObject]", "[s3:GetObject, s3:PutObject, s3:DeleteObject, s3:DeleteObjectVersion]")))
        self.assertIn("segment-expirer has s3:DeleteObjectVersion on backups", wrong)


if __name__ == "__main__":
    unittest.main()
