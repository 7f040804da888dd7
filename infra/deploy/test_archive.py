"""The packages: zip files that anything reads, the same from the same binary."""

import io
import stat
import unittest
import zipfile

import archive

BINARY = bytes(range(256)) * 300 + b"highwater" * 1000


class Package(unittest.TestCase):
    def test_holds_the_binary_which_may_be_run(self):
        with zipfile.ZipFile(io.BytesIO(archive.function_package(BINARY))) as package:
            (entry,) = package.infolist()
            self.assertIsNone(package.testzip())
            self.assertEqual((entry.filename, package.read("bootstrap"), entry.date_time), ("bootstrap", BINARY, archive.DATE))
            self.assertEqual(stat.filemode(entry.external_attr >> 16), "-rwxr-xr-x")

    def test_has_the_same_bytes_from_the_same_binary(self):
        self.assertEqual(archive.function_package(BINARY), archive.function_package(BINARY))


if __name__ == "__main__":
    unittest.main()
