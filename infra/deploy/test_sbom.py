"""What a release is made of."""

import unittest

import sbom

TARGET = "x86_64-unknown-linux-gnu"


class Dependencies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.linked = sbom.linked("local-runner", TARGET)

    def test_what_only_tests_or_builds_is_none(self):
        names = {each["name"] for each in self.linked}
        self.assertTrue({"rdkafka", "parquet", "openssl-sys"} <= names)
        self.assertFalse({"proptest", "testcontainers", "cc"} & names)

    def test_are_listed_by_name_version_and_licence(self):
        bill = sbom.bill("local-runner", TARGET)
        rdkafka = next(each for each in bill["components"] if each["name"] == "rdkafka")
        self.assertEqual(rdkafka["purl"], f"pkg:cargo/rdkafka@{rdkafka['version']}")
        self.assertEqual(rdkafka["licenses"], [{"expression": "MIT"}])
        self.assertNotIn("shared", {each["name"] for each in bill["components"]})


if __name__ == "__main__":
    unittest.main()
