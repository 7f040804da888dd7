"""From the SAM template to the CloudFormation template that AWS makes of it."""

import os
from pathlib import Path

import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.transform import transform

TEMPLATE = Path(__file__).resolve().parents[1] / "template.yaml"
# Where the packages would be: translation wants a place in S3, as `sam deploy` makes it.
CODE_BUCKET = "code"


class AnyPolicy:
    """Takes every name of a managed policy for one that exists."""

    def load(self):
        return {}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref, !Sub) as the long ones."""


def long_form(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    value = loader.construct_scalar(node)
    return {name: value.split(".", 1) if tag == "GetAtt" else value}


def once_each(loader, node):
    """A mapping whose keys differ: YAML would silently take the last of two."""
    keys = [key.value for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"{twice.pop()} stands twice in one mapping{node.start_mark}")
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", long_form)
Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, once_each)


def sam_template(text=None):
    """The SAM template, read from `text`, or from the file."""
    return yaml.load(TEMPLATE.read_text() if text is None else text, Loader)


def translate(sam):
    """The CloudFormation template of a SAM template."""
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    for resource in sam["Resources"].values():
        if resource.get("Type") == "AWS::Serverless::Function":
            package = Path(resource["Properties"]["CodeUri"]).name
            resource["Properties"]["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": package}
    return transform(sam, {}, AnyPolicy(), Parser())
