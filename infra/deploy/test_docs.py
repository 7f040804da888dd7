"""What docs/ says of a deployment, compared with the template."""

import re
import unittest

from test_template import TRANSLATED, error_alarms, lambdas, resources, telling
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


if __name__ == "__main__":
    unittest.main()
