"""sbom.py PACKAGE TARGET: prints what a binary of this workspace is made of, as CycloneDX JSON. Of C libraries, the version
that a crate brings is in the crate's own."""

import json
import re
import subprocess
import sys

from workspace import ROOT


def linked(package, target, features=("shared/vendored-openssl",)):
    """The packages that are linked into the binary of `package`; what only builds or tests it is not."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target, "--features", ",".join(features)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    metadata = json.loads(answer.stdout)
    packages = {each["id"]: each for each in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    open_ids = [each["id"] for each in packages.values() if each["name"] == package]
    found = {}
    while open_ids:
        current = open_ids.pop()
        if current not in found:
            found[current] = packages[current]
            normal = (dep["pkg"] for dep in nodes[current]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"]))
            open_ids.extend(normal)
    return sorted(found.values(), key=lambda each: (each["name"], each["version"]))


def bill(package, target):
    """The bill of materials. It has neither a date nor a serial number: the same source gives the same bytes."""
    parts = linked(package, target)
    (own,) = (each for each in parts if each["name"] == package)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "highwater", "version": own["version"]}},
        "components": [component(each) for each in parts if each["source"]],
    }


def component(package):
    return {
        "type": "library",
        "name": package["name"],
        "version": package["version"],
        "purl": f"pkg:cargo/{package['name']}@{package['version']}",
        "licenses": [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"] or "NOASSERTION")}],
    }


if __name__ == "__main__":
    json.dump(bill(*sys.argv[1:]), sys.stdout, indent=1)
