"""archive.py TARGET BINARIES OUTPUT PROCESSOR BYTES_MAX FUNCTION...: makes the packages out of built binaries, and lists their
sizes. The same binaries give the same bytes."""

import gzip
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import sbom

# The earliest date that a zip file can have.
DATE = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o755


def function_package(binary):
    """A zip file as Lambda takes it: the binary by the name `bootstrap`."""
    entry = zipfile.ZipInfo("bootstrap", DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (0o100000 | EXECUTABLE) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compresslevel=9) as archive:
        archive.writestr(entry, binary)
    return packed.getvalue()


def release_archive(folder, files):
    """A compressed tar file of files in one folder: (name, mode, bytes)."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as compressed:
        with tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, mode, content in files:
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.mode, entry.size = mode, len(content)
                archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def main(target, binaries, output, processor, bytes_max, *functions):
    binaries, output = Path(binaries), Path(output)
    packages = output / "lambda" / processor
    packages.mkdir(parents=True, exist_ok=True)
    print(f"{processor:22} {'binary':>12} {'package':>12}")
    too_large = []
    for function in functions:
        binary = (binaries / function / "bootstrap").read_bytes()
        package = function_package(binary)
        (packages / f"{function}.zip").write_bytes(package)
        print(f"{function:22} {len(binary):12} {len(package):12}")
        if len(package) > int(bytes_max):
            too_large.append(function)
    highwater = (binaries / "highwater" / "bootstrap").read_bytes()
    bill = json.dumps(sbom.bill("local-runner", target), indent=1).encode()
    files = [("highwater", EXECUTABLE, highwater), ("README.md", 0o644, Path("README.md").read_bytes()), ("sbom.cdx.json", 0o644, bill)]
    release = release_archive(f"highwater-{processor}", files)
    (output / f"highwater-{processor}.tar.gz").write_bytes(release)
    print(f"{'highwater':22} {len(highwater):12} {len(release):12}")
    if too_large:
        sys.exit(f"error: larger than {bytes_max} bytes: {', '.join(too_large)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
