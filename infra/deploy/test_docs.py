"""What docs/ says of a deployment, compared with the template."""

import re
import unittest

from test_template import error_alarms, lambdas
from workspace import ROOT

DEPLOYING = (ROOT / "docs/deploying.md").read_text()


class Deploying(unittest.TestCase):
    def test_names_the_functions_whose_first_failed_run_is_an_alarm(self):
        (told,) = re.findall(r"`<Function>Errors` \| the function failed in three of five minutes; (.*): once \|", DEPLOYING)
        alarms = error_alarms()
        once = {crate for crate, (name, _) in lambdas().items() if alarms[name]["EvaluationPeriods"] == 1}
        self.assertEqual(set(re.split(", | and ", told)), once)


if __name__ == "__main__":
    unittest.main()
