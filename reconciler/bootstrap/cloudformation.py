"""A template as CloudFormation's YAML; equal templates give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from reconciler.bootstrap.model import (
    REFERENCE,
    Bucket,
    BucketPolicy,
    ManagedPolicy,
    OidcProvider,
    Resource,
    Role,
    RolePolicy,
    StackSet,
    Template,
)


class _Dumper(yaml.SafeDumper):
    """Repeats instead of making aliases, and indents lists below their keys."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the base class has it
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render(template: Template) -> str:
    """Return the text of the template."""
    return str(yaml.dump(data(template), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=False))


def data(template: Template) -> dict[str, Any]:
    """Return the template as plain data."""
    found: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09", "Description": template.description}
    found["Resources"] = {resource.id: _resource(resource) for resource in template.resources}
    return found


def _resource(resource: Resource) -> dict[str, Any]:
    kind, properties = _properties(resource)
    return {"Type": kind, **_attributes(resource), "Properties": _filled(properties)}


def _attributes(resource: Resource) -> dict[str, Any]:
    """Return what CloudFormation has to know of a resource and its service has not."""
    match resource:
        case Bucket():
            return {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
        case ManagedPolicy() if resource.after:
            return {"DependsOn": [*resource.after]}
    return {}


def _properties(resource: Resource) -> tuple[str, dict[str, Any]]:
    match resource:
        case Role(_, name, description, trust):
            return "AWS::IAM::Role", {
                "RoleName": name, "Description": description, "AssumeRolePolicyDocument": trust,
                "MaxSessionDuration": 3600,
            }  # fmt: skip
        case RolePolicy(_, role, name, document):
            return "AWS::IAM::Policy", {
                "PolicyName": name, "Roles": [f"${{{role}}}"], "PolicyDocument": document,
            }  # fmt: skip
        case ManagedPolicy(_, name, description, document, _):
            return "AWS::IAM::ManagedPolicy", {
                "ManagedPolicyName": name, "Path": "/", "Description": description, "PolicyDocument": document,
            }  # fmt: skip
        case OidcProvider(_, host, audience):
            return "AWS::IAM::OIDCProvider", {"Url": f"https://{host}", "ClientIdList": [audience]}
        case Bucket():
            return "AWS::S3::Bucket", _bucket(resource)
        case BucketPolicy(_, bucket, document):
            return "AWS::S3::BucketPolicy", {"Bucket": f"${{{bucket}}}", "PolicyDocument": document}
        case StackSet():
            return "AWS::CloudFormation::StackSet", _stack_set(resource)


def _bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "BucketName": bucket.name,
        "VersioningConfiguration": {"Status": "Enabled"},
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        "PublicAccessBlockConfiguration": dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        ),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "LifecycleConfiguration": {"Rules": [*_rules(bucket)]},
    }


def _rules(bucket: Bucket) -> Iterator[dict[str, Any]]:
    history: dict[str, Any] = {
        "ExpirationInDays": bucket.history_days,
        "NoncurrentVersionExpiration": {"NoncurrentDays": AFTER_HISTORY},
    }
    passing = {"NoncurrentVersionExpiration": {"NoncurrentDays": AFTER_OTHERS}}
    for name, what in (("history", history), *((name, passing) for name in SHORT_LIVED)):
        yield {"Id": name, "Status": "Enabled", "Prefix": f"{bucket.prefix}{name}/", **what}
    # S3 takes this and a time in one rule not.
    yield {"Id": "markers", "Status": "Enabled", "Prefix": bucket.prefix, "ExpiredObjectDeleteMarker": True}


SHORT_LIVED = ("locks", "steps", "doctor")
"""Folders of the store whose entries are written over and over; what they said a week ago tells nobody anything."""

AFTER_HISTORY, AFTER_OTHERS = 30, 7
"""How many days what has expired, or was written over, can still be got back; of the history, and of the others."""


def _stack_set(stack_set: StackSet) -> dict[str, Any]:
    return {
        "StackSetName": stack_set.name,
        "Description": stack_set.description,
        "PermissionModel": "SERVICE_MANAGED",
        # Asked for as what it is (CloudFormation API reference, CreateStackSet, CallAs).
        "CallAs": "DELEGATED_ADMIN" if stack_set.delegated else "SELF",
        "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "ManagedExecution": {"Active": True},
        "OperationPreferences": {"MaxConcurrentPercentage": 25, "FailureTolerancePercentage": 10},
        "StackInstancesGroup": [
            # IAM is global, so one Region is enough (facts sheet 7).
            {"DeploymentTargets": {"OrganizationalUnitIds": [*stack_set.units]}, "Regions": ["${AWS::Region}"]}
        ],
        "TemplateBody": Verbatim(render(stack_set.template)),
    }


class Verbatim(str):
    """Text whose `${...}` are somebody else's."""

    __slots__ = ()


def _filled(value: Any) -> Any:
    """Return a value with what stands for others as CloudFormation's functions."""
    match value:
        case Verbatim():
            return str(value)
        case str() if found := REFERENCE.fullmatch(value):
            return {"Ref": found.group(1)}
        case str():
            return {"Fn::Sub": value} if REFERENCE.search(value) else value
        case Mapping():
            return {key: _filled(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_filled(inner) for inner in value]
    return value
