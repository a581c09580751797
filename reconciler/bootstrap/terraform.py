"""A template as Terraform's JSON, for hashicorp/aws 5.100 and later; equal templates give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from reconciler.bootstrap import cloudformation
from reconciler.bootstrap.model import (
    REFERENCE,
    Bucket,
    BucketPolicy,
    Document,
    ManagedPolicy,
    OidcProvider,
    Resource,
    Role,
    RolePolicy,
    StackSet,
    Template,
)

_KNOWN = {
    "AWS::Partition": "data.aws_partition.current.partition",
    "AWS::AccountId": "data.aws_caller_identity.current.account_id",
}
_DATA = ("aws_partition", "aws_caller_identity")

Block = dict[str, Any]


def render(template: Template) -> str:
    """Return the text of the template."""
    return json.dumps(data(template), indent=2) + "\n"


def data(template: Template) -> Block:
    """Return the template as plain data."""
    resources: dict[str, Block] = {}
    for resource in template.resources:
        for kind, name, block in _blocks(resource):
            resources.setdefault(kind, {})[name] = block
    found: Block = {
        "//": template.description,
        "terraform": {
            "required_version": ">= 1.3",
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.100"}},
        },
    }
    text = json.dumps(resources)
    # An empty block is an error.
    asked: Block = {kind: {"current": {}} for kind in _DATA if f"data.{kind}." in text}
    if asked:
        found["data"] = asked
    return {**found, "resource": resources}


def _blocks(resource: Resource) -> list[tuple[str, str, Block]]:
    name = _snake(resource.id)
    match resource:
        case Role():
            return [("aws_iam_role", name, {
                "name": resource.name, "description": resource.description,
                "assume_role_policy": _json(resource.trust), "max_session_duration": 3600,
            })]  # fmt: skip
        case RolePolicy():
            return [("aws_iam_role_policy", name, {
                "name": resource.name, "role": f"${{aws_iam_role.{_snake(resource.role)}.name}}",
                "policy": _json(resource.document),
            })]  # fmt: skip
        case ManagedPolicy():
            return [("aws_iam_policy", name, {
                "name": resource.name, "path": "/", "description": resource.description,
                "policy": _json(resource.document), **_after(resource.after),
            })]  # fmt: skip
        case OidcProvider():
            return [("aws_iam_openid_connect_provider", name, {
                "url": f"https://{resource.host}", "client_id_list": [resource.audience],
            })]  # fmt: skip
        case Bucket():
            return _bucket(resource, name)
        case BucketPolicy():
            return [("aws_s3_bucket_policy", name, {
                "bucket": f"${{aws_s3_bucket.{_snake(resource.bucket)}.id}}", "policy": _json(resource.document),
            })]  # fmt: skip
        case StackSet():
            return _stack_set(resource, name)


def _after(ids: tuple[str, ...]) -> Block:
    return {"depends_on": [f"aws_iam_role_policy.{_snake(one)}" for one in ids]} if ids else {}


def _bucket(bucket: Bucket, name: str) -> list[tuple[str, str, Block]]:
    which = {"bucket": f"${{aws_s3_bucket.{name}.id}}"}
    encrypted = {"rule": {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}}
    blocked = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    return [
        ("aws_s3_bucket", name, {"bucket": bucket.name, "lifecycle": {"prevent_destroy": True}}),
        ("aws_s3_bucket_versioning", name, {**which, "versioning_configuration": {"status": "Enabled"}}),
        ("aws_s3_bucket_server_side_encryption_configuration", name, {**which, **encrypted}),
        ("aws_s3_bucket_public_access_block", name, {**which, **dict.fromkeys(blocked, True)}),
        ("aws_s3_bucket_ownership_controls", name, {**which, "rule": {"object_ownership": "BucketOwnerEnforced"}}),
        ("aws_s3_bucket_lifecycle_configuration", name, {
            **which, "rule": [*_rules(bucket)], "depends_on": [f"aws_s3_bucket_versioning.{name}"],
        }),
    ]  # fmt: skip


def _rules(bucket: Bucket) -> Iterator[Block]:
    history: Block = {
        "expiration": {"days": bucket.history_days},
        "noncurrent_version_expiration": {"noncurrent_days": cloudformation.AFTER_HISTORY},
    }
    passing = {"noncurrent_version_expiration": {"noncurrent_days": cloudformation.AFTER_OTHERS}}
    for name, what in (("history", history), *((name, passing) for name in cloudformation.SHORT_LIVED)):
        yield {"id": name, "status": "Enabled", "filter": {"prefix": f"{bucket.prefix}{name}/"}, **what}
    yield {
        "id": "markers", "status": "Enabled", "filter": {"prefix": bucket.prefix},
        "expiration": {"expired_object_delete_marker": True},
    }  # fmt: skip


def _stack_set(stack_set: StackSet, name: str) -> list[tuple[str, str, Block]]:
    # A template in a template: what stands for the account there is not Terraform's.
    call_as = {"call_as": "DELEGATED_ADMIN" if stack_set.delegated else "SELF"}
    body = cloudformation.render(stack_set.template).replace("${", "$${").replace("%{", "%%{")
    return [
        ("aws_cloudformation_stack_set", name, {
            "name": stack_set.name, "description": stack_set.description, "permission_model": "SERVICE_MANAGED",
            **call_as,
            "auto_deployment": {"enabled": True, "retain_stacks_on_account_removal": False},
            "capabilities": ["CAPABILITY_NAMED_IAM"], "managed_execution": {"active": True},
            "operation_preferences": {"max_concurrent_percentage": 25, "failure_tolerance_percentage": 10},
            "template_body": body,
            # AWS keeps it for the template of roles that are made by hand.
            "lifecycle": {"ignore_changes": ["administration_role_arn"]},
        }),
        ("aws_cloudformation_stack_set_instance", name, {
            "stack_set_name": f"${{aws_cloudformation_stack_set.{name}.name}}", **call_as,
            "deployment_targets": {"organizational_unit_ids": [*stack_set.units]},
        }),
    ]  # fmt: skip


def _json(document: Document) -> str:
    return _filled(json.dumps(document))


def _filled(text: str) -> str:
    return REFERENCE.sub(lambda found: f"${{{_KNOWN[found.group(1)]}}}", text)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
