"""archive.py TARGET BINARIES OUTPUT PROCESSOR BYTES_MAX FUNCTION...: makes the packages out of built binaries, and lists their
sizes. The same binaries give the same bytes."""

import gzip
import io
import json
import multiprocessing
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import zopfli.zlib

import sbom

# The earliest date that a zip file can have.
DATE = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o755


def function_package(binary):
    """A zip file as Lambda takes it: the binary by the name `bootstrap`. Zopfli makes it a thirtieth smaller than zlib does;
    zipfile writes nothing that was compressed before, so the directory is written here."""
    # A zlib stream is two bytes, what zip files hold, and a checksum of four.
    content = zopfli.zlib.compress(binary, numiterations=1)[2:-4]
    entry = zipfile.ZipInfo("bootstrap", DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.CRC, entry.compress_size, entry.file_size = zlib.crc32(binary), len(content), len(binary)
    begin = entry.FileHeader(zip64=False) + content
    mode = (0o100000 | EXECUTABLE) << 16
    # The fields of the local header from the version that is needed to the length of the name.
    common = begin[4:28]
    directory = b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 20) + common + struct.pack("<4H2L", 0, 0, 0, 0, mode, 0) + b"bootstrap"
    return begin + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(begin), 0)


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
    contents = [(binaries / function / "bootstrap").read_bytes() for function in functions]
    with multiprocessing.Pool() as pool:
        packed = pool.map(function_package, contents, chunksize=1)
    for function, binary, package in zip(functions, contents, packed, strict=True):
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
