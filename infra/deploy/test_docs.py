"""What docs/ says of a deployment, compared with the template."""

import re
import unittest

import permissions
import workspace
from test_template import TRANSLATED, deployments, error_alarms, lambdas, mapped, resources, telling
from workspace import ROOT

DEPLOYING = (ROOT / "docs/deploying.md").read_text()


def unknown_names(page):
    """What a page of deployment names that the template has not: PARAMETER=VALUE anywhere, and `Names` of its parts."""
    parameters = set(re.findall(r"\b([A-Z][a-z]+[A-Za-z0-9]*)=", page))
    parts = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z0-9]+)+)`", page))
    known = TRANSLATED["Parameters"].keys() | TRANSLATED["Resources"].keys() | TRANSLATED["Outputs"].keys()
    return (parameters - TRANSLATED["Parameters"].keys()) | (parts - known)


class Deploying(unittest.TestCase):
    def test_names_only_parameters_and_parts_that_the_template_has(self):
        self.assertEqual(unknown_names(DEPLOYING), set())
        self.assertEqual(unknown_names("```\ndeploy Topic=x\n```\n`KafkaSecret`, `Topics=x`, `EventMapping1`"), {"Topic", "KafkaSecret"})

    def test_says_what_each_alarm_means(self):
        told = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]*) \|", DEPLOYING.split("## When something fails")[1], re.M)))
        own = {name for name, alarm in resources("AWS::CloudWatch::Alarm").items() if alarm["Properties"]["MetricName"] != "Errors"}
        self.assertEqual(set(told), own)

    def test_names_the_functions_whose_failed_runs_come_into_the_queue(self):
        (told,) = re.findall(r"Those of ([a-z, -]*) come into the queue", DEPLOYING)
        crates = {name: crate for crate, (name, _) in lambdas().items()}
        self.assertEqual(set(re.split(", | and ", told)), {crates[name] for name in telling()})

    def test_names_the_functions_whose_first_failed_run_is_an_alarm(self):
        (told,) = re.findall(r"`<Function>Errors` \| the function failed in three of five minutes; (.*): once \|", DEPLOYING)
        alarms = error_alarms()
        once = {crate for crate, (name, _) in lambdas().items() if alarms[name]["EvaluationPeriods"] == 1}
        self.assertEqual(set(re.split(", | and ", told)), once)


def rows(page):
    """The cells of a page's tables."""
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in page.splitlines() if line.startswith("| ")]


class Permissions(unittest.TestCase):
    AWS, KAFKA = (ROOT / "docs/permissions.md").read_text().split("## Kafka")

    def told(self):
        """Each (function, action) of AWS that the page tells of; "the same" are those of the row before."""
        functions = workspace.functions()
        for _, actions, _, by in rows(self.AWS)[1:]:
            if not by.startswith("the same"):
                crates = functions if by.startswith("all") else re.findall(r"[a-z]+-[a-z]+", by)
            yield from ((crate, action) for crate in crates for action in re.findall(r"`(\w+:\w+)`", actions))

    def test_of_aws_are_those_that_the_roles_have_in_some_deployment(self):
        has = set()
        for deployment in deployments():
            made = dict(deployment.resources("AWS::IAM::Role", "AWS::IAM::Policy"))
            for crate, (_, properties) in lambdas().items():
                granted = permissions.granted(properties["Role"]["Fn::GetAtt"][0], made)
                has |= {(crate, action) for action, _ in granted if not action.startswith("kafka-cluster:")}
        self.assertEqual(set(self.told()), has)

    def test_of_kafka_name_every_function_that_uses_it(self):
        named = set(re.findall(r"[a-z]+-[a-z]+", " ".join(cell for row in rows(self.KAFKA) for cell in row)))
        self.assertEqual({crate for crate in workspace.functions() if "kafka" in workspace.ports(crate)} - named, set())


    def test_of_kafka_have_each_access_rule_that_a_function_needs(self):
        """In the rows that name the function, in whatever cell."""
        told = set()
        for _, rules, by in rows(self.KAFKA)[1:]:
            crates = set(re.findall(r"[a-z]+-[a-z]+", f"{rules} {by}")) & set(workspace.functions())
            told |= {(crate, rule) for crate in crates for rule in re.findall(r"`([A-Z]\w+)`", rules)}
        for crate in permissions.KAFKA_RESOURCES:
            needs = {permissions.ACLS[action] for action in permissions.in_kafka(crate) if action != "Connect"}
            self.assertEqual({(crate, rule) for rule in needs} - told, set())


class Lambda(unittest.TestCase):
    def test_names_a_mapping_where_the_template_has_one(self):
        page = (ROOT / "docs/lambda.md").read_text()
        told = {crate for crate, by, _ in rows(page.split("A run ends before")[0])[1:] if "mapping" in by}
        self.assertEqual(told, {crate for crate, (name, _) in lambdas().items() if name in mapped()})


if __name__ == "__main__":
    unittest.main()
