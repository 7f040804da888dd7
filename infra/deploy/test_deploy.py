"""`./just deploy` and the packages, without an account."""

import io
import os
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

import archive
from workspace import ROOT


class Deploy(unittest.TestCase):
    """With a `sam` that only prints its arguments."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        # A tree of its own: the packages of this one stay as they are.
        self.root = Path(self.folder.name)
        for path in ("infra/common.sh", "infra/deploy/deploy.sh"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).symlink_to(ROOT / path)
        sam = self.root / "sam"
        sam.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        sam.chmod(0o755)

    def deploy(self, *arguments):
        environment = os.environ | {"PATH": f"{self.root}:{os.environ['PATH']}"}
        command = ["bash", self.root / "infra/deploy/deploy.sh", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def test_gives_parameters_and_the_processors_packages_to_sam(self):
        (self.root / "dist/lambda/x86_64").mkdir(parents=True)
        answer = self.deploy("my-stack", "Architecture=x86_64", "Topics=orders-*,pay ments")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        arguments = answer.stdout.splitlines()
        self.assertEqual(arguments[arguments.index("--stack-name") + 1], "my-stack")
        self.assertEqual(arguments[arguments.index("--parameter-overrides") + 1:], ["Architecture=x86_64", "Topics=orders-*,pay ments"])
        self.assertNotIn("--no-execute-changeset", arguments)
        self.assertEqual(os.readlink(self.root / "dist/lambda/selected"), "x86_64")

    def test_a_dry_run_changes_nothing(self):
        (self.root / "dist/lambda/arm64").mkdir(parents=True)
        self.assertIn("--no-execute-changeset", self.deploy("--dry-run", "my-stack").stdout.splitlines())

    def test_says_what_is_missing(self):
        for arguments, told in [
            ([], "usage: "),
            (["Topics=x"], "usage: "),
            (["my-stack", "Topics"], "Topics is no PARAMETER=VALUE"),
            (["my-stack"], "no packages for arm64: run ./just package arm64 first"),
        ]:
            answer = self.deploy(*arguments)
            self.assertNotEqual(answer.returncode, 0)
            self.assertIn(told, answer.stderr)


class Packages(unittest.TestCase):
    def test_of_the_same_binary_are_the_same_bytes(self):
        self.assertEqual(archive.function_package(b"binary"), archive.function_package(b"binary"))
        files = [("highwater", 0o755, b"binary")]
        self.assertEqual(archive.release_archive("x", files), archive.release_archive("x", files))

    def test_hold_an_executable_that_lambda_finds(self):
        with zipfile.ZipFile(io.BytesIO(archive.function_package(b"binary"))) as package:
            (entry,) = package.infolist()
            self.assertEqual((entry.filename, entry.external_attr >> 16, package.read(entry)), ("bootstrap", 0o100755, b"binary"))
        release = archive.release_archive("highwater-arm64", [("highwater", 0o755, b"binary")])
        with tarfile.open(fileobj=io.BytesIO(release)) as packed:
            (entry,) = packed.getmembers()
            self.assertEqual((entry.name, entry.mode), ("highwater-arm64/highwater", 0o755))


if __name__ == "__main__":
    unittest.main()
