"""The requests by which it is tried how far a role reaches: some that are granted, and some that are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconciler.model import Probe
from reconciler.policy.arn import covers, is_pattern
from reconciler.policy.case import fold
from reconciler.policy.decisions import decided, says
from reconciler.policy.document import PolicyDocument

MOST = 40
"""Requests that are granted, at most: each is a part of a call to AWS."""

_OBJECT = "xgrant-verify"
"""What stands for a wildcard: nothing is called so."""

# By service a request that reads, and those that write. Actions are those of the Service Authorization Reference.
READS = {
    "cloudwatch": ("DescribeAlarms",),
    "dynamodb": ("DescribeTable", "GetItem", "Query"),
    "ec2": ("DescribeInstances",),
    "ecr": ("DescribeRepositories",),
    "iam": ("ListRoles", "GetRole", "GetUser"),
    "kms": ("DescribeKey",),
    "lambda": ("GetFunctionConfiguration",),
    "logs": ("DescribeLogGroups",),
    "s3": ("GetObject", "ListBucket", "GetBucketLocation", "ListAllMyBuckets"),
    "secretsmanager": ("DescribeSecret", "GetSecretValue"),
    "sns": ("GetTopicAttributes",),
    "sqs": ("GetQueueAttributes", "ReceiveMessage"),
    "ssm": ("DescribeParameters", "GetParameter"),
}
WRITES = {
    "cloudwatch": ("PutMetricAlarm", "DeleteAlarms"),
    "dynamodb": ("PutItem", "DeleteItem", "DeleteTable"),
    "ec2": ("RunInstances", "TerminateInstances"),
    "ecr": ("PutImage", "DeleteRepository"),
    "iam": ("CreateUser", "AttachRolePolicy"),
    "kms": ("Encrypt", "ScheduleKeyDeletion"),
    "lambda": ("UpdateFunctionCode", "DeleteFunction"),
    "logs": ("PutLogEvents", "DeleteLogGroup"),
    "s3": ("PutObject", "DeleteObject", "PutBucketPolicy", "DeleteBucket"),
    "secretsmanager": ("PutSecretValue", "DeleteSecret"),
    "sns": ("Publish", "DeleteTopic"),
    "sqs": ("SendMessage", "PurgeQueue", "DeleteQueue"),
    "ssm": ("PutParameter", "DeleteParameter"),
}


def granted(documents: Iterable[PolicyDocument]) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """Return the requests that documents allow without conditions, and in words what of them has none.

    Of those that a denial with conditions covers, `decided` is None: that they are refused may be as it is meant.
    """
    documents = tuple(documents)
    probes: dict[Probe, None] = {}
    left: list[str] = []
    for statement in (one for document in documents for one in document.statements()):
        if statement.get("Effect") != "Allow":
            continue
        if "Condition" in statement or "Action" not in statement or "Resource" not in statement:
            left.append("a statement with conditions, NotAction or NotResource is compared as a document only")
            continue
        for action in statement["Action"]:
            if (meant := _concrete_action(action)) is None:
                left.append(f"of {action} no single action is known that could be tried")
                continue
            for resource in map(_concrete, statement["Resource"]):
                if _fits(meant, resource) and says(documents, "Deny", meant, resource) is not True:
                    probes[Probe(meant, resource, meant=True)] = None
    left += _doubts(documents, tuple(probes), none_left=not left)
    return tuple(probes)[:MOST], tuple(dict.fromkeys(left))


def _doubts(documents: tuple[PolicyDocument, ...], probes: tuple[Probe, ...], *, none_left: bool) -> Iterator[str]:
    """Yield in words why the requests that are tried do not tell all; `none_left` says that nothing else does."""
    if len(probes) > MOST:
        yield f"of {len(probes)} requests that are granted the first {MOST} are tried"
    if any(decided(documents, one.action, one.resource) is None for one in probes):
        yield "the grant denies, on conditions, what it allows: whether they are met nobody can see from here"
    if not probes and none_left:
        yield "the grant allows nothing that could be tried"


def forbidden(documents: Iterable[PolicyDocument], tried: Iterable[Probe]) -> Iterator[Probe]:
    """Yield requests near those that are granted and no part of them: a write, and the same on another resource.

    Of each service one of either.
    """
    documents = tuple(documents)
    by_service: dict[str, list[Probe]] = {}
    for probe in tried:
        by_service.setdefault(fold(probe.action).partition(":")[0], []).append(probe)
    for service, probes in by_service.items():
        writes = (
            Probe(f"{service}:{name}", probe.resource, meant=False)
            for probe in probes
            for name in WRITES.get(service, ())
            if _fits(name, probe.resource)
        )
        elsewhere = (Probe(probe.action, on, meant=False) for probe in probes for on in _elsewhere(probe.resource))
        for found in (writes, elsewhere):
            yield from [one for one in found if decided(documents, one.action, one.resource) is False][:1]


def _fits(action: str, resource: str) -> bool:
    """Return whether an action can be about a resource: S3 has actions on objects, and actions on buckets."""
    _, service, name = resource.partition(":s3:::")
    if not service:
        return True
    return ("object" in fold(action)) == ("/" in name)


def _concrete_action(action: str) -> str | None:
    """Return the action itself, or one that a pattern covers, a reading one if there is any."""
    if not is_pattern(action):
        return action
    if action == "*":
        return "s3:ListAllMyBuckets"
    service, _, name = fold(action).partition(":")
    known = (*READS.get(service, ()), *WRITES.get(service, ()))
    return next((f"{service}:{one}" for one in known if covers(name, fold(one))), None)


def _concrete(resource: str) -> str:
    """Return a resource that a pattern covers; `*` itself is what all may be allowed on."""
    return resource if resource == "*" else resource.replace("*", _OBJECT).replace("?", "x")


def _elsewhere(resource: str) -> Iterator[str]:
    """Yield other resources of the same kind, the nearest first; none where all of them are meant.

    Of `table/orders` it is one that `table/*` covers too: what is too wide is most often as wide as that.
    """
    parts = resource.split(":", 5)
    name = parts.pop()
    if len(parts) < len(("arn", "partition", "service", "region", "account")):
        return
    ends = [one.end() for one in re.finditer("[:/]", name)]
    whole = parts[2:] == ["s3", "", ""] or not ends  # What a bucket's name stands before is no kind.
    for at in dict.fromkeys((ends[-1] if ends else 0, 0 if whole else ends[0])):
        yield ":".join((*parts, f"{name[:at]}{_OBJECT}-elsewhere-{name[at:]}"))
