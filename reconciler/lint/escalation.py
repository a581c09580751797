"""XG108: actions by which whoever may do them can give themselves more.

The list is that of Rhino Security Labs ("AWS IAM Privilege Escalation - Methods and Mitigation", 2018, parts 1 and 2,
without CodeStar, which AWS has ended) with the additions of Bishop Fox's "IAM Vulnerable" (2021), and what AWS's user
guide says must be denied where permissions boundaries are delegated ("Permissions boundaries for IAM entities").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import Statement, allowing, is_everything, matches
from reconciler.model import Grant, Level
from reconciler.policy.case import fold

_ITSELF = "${aws:username}"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to more permissions: the actions that it takes, all of them, and what they bring about.

    `on_any` says that it is one only where resources are not named: on one function or role it is everyday work.
    """

    actions: tuple[str, ...]
    what: str
    on_any: bool = False


_PASS = "iam:PassRole"  # noqa: S105 - an action

WAYS = (
    Way(("iam:CreatePolicyVersion",), "writes new permissions into a policy that is in use"),
    Way(("iam:SetDefaultPolicyVersion",), "brings back a policy's earlier permissions"),
    Way(("iam:AttachUserPolicy",), "gives a user any policy"),
    Way(("iam:AttachGroupPolicy",), "gives a group any policy"),
    Way(("iam:AttachRolePolicy",), "gives a role any policy"),
    Way(("iam:PutUserPolicy",), "writes a user's permissions"),
    Way(("iam:PutGroupPolicy",), "writes a group's permissions"),
    Way(("iam:PutRolePolicy",), "writes a role's permissions"),
    Way(("iam:AddUserToGroup",), "gives a user what a group may do"),
    Way(("iam:UpdateAssumeRolePolicy",), "lets anybody assume a role"),
    Way(("iam:CreateAccessKey",), "makes keys of another user"),
    Way(("iam:CreateLoginProfile",), "gives another user a password"),
    Way(("iam:UpdateLoginProfile",), "changes another user's password"),
    Way(("iam:DeleteRolePermissionsBoundary",), "takes a role's boundary away"),
    Way(("iam:DeleteUserPermissionsBoundary",), "takes a user's boundary away"),
    Way(("iam:PutRolePermissionsBoundary",), "changes a role's boundary"),
    Way(("iam:PutUserPermissionsBoundary",), "changes a user's boundary"),
    Way((_PASS, "ec2:RunInstances"), "starts a machine with a stronger role", on_any=True),
    Way((_PASS, "lambda:CreateFunction", "lambda:InvokeFunction"), "runs a function with a stronger role", on_any=True),
    Way(
        (_PASS, "lambda:CreateFunction", "lambda:CreateEventSourceMapping"),
        "runs a function with a stronger role", on_any=True,
    ),
    Way((_PASS, "cloudformation:CreateStack"), "makes a stack with a stronger role", on_any=True),
    Way((_PASS, "glue:CreateDevEndpoint"), "opens a shell with a stronger role", on_any=True),
    Way(
        (_PASS, "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"),
        "runs a pipeline with a stronger role", on_any=True,
    ),
    Way(
        (_PASS, "sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"),
        "opens a notebook with a stronger role", on_any=True,
    ),
    Way((_PASS, "sagemaker:CreateTrainingJob"), "runs a job with a stronger role", on_any=True),
    Way((_PASS, "sagemaker:CreateProcessingJob"), "runs a job with a stronger role", on_any=True),
    Way((_PASS, "ecs:RegisterTaskDefinition", "ecs:RunTask"), "runs a task with a stronger role", on_any=True),
    Way((_PASS, "codebuild:CreateProject", "codebuild:StartBuild"), "runs a build with a stronger role", on_any=True),
    Way(("lambda:UpdateFunctionCode",), "runs its own code with any function's role", on_any=True),
    Way(("lambda:UpdateFunctionConfiguration",), "puts its own layer into any function", on_any=True),
    Way(("glue:UpdateDevEndpoint",), "puts its own key on any endpoint", on_any=True),
    Way(("ssm:SendCommand",), "runs commands with the role of any machine", on_any=True),
    Way(("ssm:StartSession",), "opens a shell with the role of any machine", on_any=True),
    Way(("ec2-instance-connect:SendSSHPublicKey",), "opens a shell with the role of any machine", on_any=True),
)  # fmt: skip
"""Every way that is looked for. Broader wildcards than `service:Prefix*` are XG104's and XG106's."""


def _escalation(grant: Grant, _: Seen) -> Iterator[Breach]:
    open_to: dict[str, tuple[Statement, str]] = {}
    wide: set[str] = set()
    for statement in filter(_counts, allowing(grant)):
        everywhere = any(_is_wide(resource) for resource in statement.values("Resource") or ["*"])
        for pattern, action in _named(statement):
            open_to.setdefault(action, (statement, pattern))
            if everywhere:
                wide.add(action)
    for way in WAYS:
        if all(action in open_to for action in way.actions) and (not way.on_any or way.actions[0] in wide):
            statement, pattern = open_to[way.actions[0]]
            yield Breach(f"{' with '.join(way.actions)}: {way.what}", statement.spot("Action", pattern))


def _counts(statement: Statement) -> bool:
    """Return whether a statement is bound by no boundary, is not for one service, nor only for who calls."""
    keys = {fold(key) for _, key in statement.condition_keys()}
    itself = all(_ITSELF in resource for resource in statement.values("Resource") or [""])
    return not itself and not keys & {"iam:permissionsboundary", "iam:passedtoservice"}


def _named(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield the actions of ways that a statement names, each with how; `service:*` is not of this rule."""
    for pattern in statement.values("Action"):
        if not set(pattern.partition(":")[2]) <= {"*"}:
            yield from ((pattern, action) for action in _ways_by(pattern))


@lru_cache(maxsize=8192)
def _ways_by(pattern: str) -> tuple[str, ...]:
    return tuple(action for action in _KNOWN if matches(pattern, action))


def _is_wide(resource: str) -> bool:
    """Return whether a resource is all of its kind: `*`, `arn:aws:iam::123456789012:role/*`, `...:function:*`."""
    kind_and_name = re.split("[:/]", resource.split(":", 5)[-1], maxsplit=1)
    return is_everything(resource) or set(kind_and_name[-1]) == {"*"}


_KNOWN = tuple(dict.fromkeys(action for way in WAYS for action in way.actions))

RULES = (
    Rule(
        "XG108", Level.WARN, "a way to more permissions",
        "With these actions a caller of the role can give themselves, or whoever they control, more than it allows.",
        "leave the actions out, name the resources, or demand a boundary: conditions on iam:PermissionsBoundary",
        "Rhino Security Labs, AWS IAM Privilege Escalation; Bishop Fox, IAM Vulnerable; IAM user guide, boundaries",
        "Teams that make roles and functions for others need some of them, so each is to be looked at, not refused.",
        of_grant=_escalation,
    ),
)  # fmt: skip
"""The guardrails of this file."""
