"""A function's binary under another emulation of Lambda than this project's own: cargo-lambda's."""

import json
import os
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions

import samples
import workspace

BINARIES = Path(os.environ.get("HIGHWATER_TEST_BINARIES") or Path(os.environ.get("HIGHWATER_BINARY", workspace.ROOT / "target/debug/highwater")).parent)
# The name that the emulator has for a function which it did not start itself.
ANY_FUNCTION = "_"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(f"the emulator ended: {process.stdout.read()}")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the emulator does not listen")


class Emulator(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # It wants a project, whose functions it would build; this one has none to speak of.
        (Path(folder.name) / "Cargo.toml").write_text('[package]\nname = "nothing"\nversion = "0.1.0"\nedition = "2024"\n')
        (Path(folder.name) / "src").mkdir()
        (Path(folder.name) / "src/main.rs").write_text("fn main() {}\n")
        self.port = free_port()
        command = ["cargo-lambda", "lambda", "watch", "--only-lambda-apis", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        emulator = self.start(command, os.environ, folder.name)
        wait_for(self.port, emulator)

    def start(self, command, environment, folder=None):
        process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

        def end():
            process.terminate()
            process.communicate(timeout=30)

        self.addCleanup(end)
        return process

    def start_function(self, name, **settings):
        runtime = {
            "AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{self.port}/.rt",
            "AWS_LAMBDA_FUNCTION_NAME": ANY_FUNCTION,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
        }
        return self.start([BINARIES / name], runtime | settings)

    def invoke(self, payload):
        once = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=60)
        lambdas = boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{self.port}", region_name=samples.REGION, config=once,
                               aws_access_key_id="x", aws_secret_access_key="x")
        answer = lambdas.invoke(FunctionName=ANY_FUNCTION, Payload=json.dumps(payload))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def test_every_form_of_http_event_is_answered_one_after_the_other(self):
        self.start_function("metrics-query", REDIS_URL="redis://127.0.0.1:1")
        events = [
            {"version": "2.0", "rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}},
            {"version": "1.0", "httpMethod": "GET", "path": "/healthz", "requestContext": {"stage": "prod", "httpMethod": "GET"}},
            {"httpMethod": "GET", "path": "/healthz", "requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}},
        ]
        for event in events:
            failed, answer = self.invoke(event)
            self.assertEqual((failed, answer["statusCode"], answer["body"]), (None, 200, "healthy\n"))
        failed, answer = self.invoke(events[0] | {"rawPath": "/metrics"})
        self.assertEqual((failed, answer["statusCode"]), (None, 503))

    def test_a_payload_that_is_no_input_is_an_error_and_the_next_one_is_taken(self):
        self.start_function("metrics-query", REDIS_URL="redis://127.0.0.1:1")
        with self.assertRaises(botocore.exceptions.ClientError) as failed:
            self.invoke({})
        self.assertEqual(failed.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)
        failed, _ = self.invoke({"version": "2.0", "rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}})
        self.assertIsNone(failed)


if __name__ == "__main__":
    unittest.main()
