"""What a managed account gets: a role that reads, a role that writes, and the boundary of all that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.bootstrap.model import (
    ACCOUNT,
    PARTITION,
    Document,
    ManagedPolicy,
    Role,
    RolePolicy,
    Template,
    allow,
    deny,
    policy,
)
from reconciler.bootstrap.options import (
    BOUNDARY,
    HUB_APPLY,
    HUB_PLAN,
    IDENTITY,
    READER,
    ROLES,
    WRITER,
    Options,
)
from reconciler.model import PrincipalKind
from reconciler.ownership import STACK_TAG, stack_path
from reconciler.permissions import ATTACH, CALLER, INSTANCE_PROFILE, MANAGED_POLICY, SIMULATE, UNBOUND, parts

_IAM = f"arn:{PARTITION}:iam::{ACCOUNT}:"
_BOUNDARY = f"{_IAM}policy/{BOUNDARY}"

_LENT = "cloudformation"
"""Acts with the roles of its stacks: who updates one needs none of their permissions."""


def member(options: Options) -> Template:
    """Return the template of an account that xgrant manages."""
    return Template(
        "xgrant-member",
        f"The access of xgrant to an account that it manages for the stack {options.stack}. {READER} reads IAM; "
        f"{WRITER} writes roles below {options.path} with the boundary {BOUNDARY}, and the policies of named callers. "
        f"A stolen {WRITER} could let anybody do here what {BOUNDARY} allows, and give the callers anything.",
        (
            Role("Reader", READER, "Reads IAM for xgrant plan and drift", _trust(options, HUB_PLAN)),
            RolePolicy("ReaderPolicy", "Reader", "read", reader(options)),
            Role("Writer", WRITER, "Writes cross-account roles for xgrant apply", _trust(options, HUB_APPLY)),
            RolePolicy("WriterPolicy", "Writer", "write", writer(options)),
            # Behind the others, so that it is what goes first: while roles have it that fails, and xgrant still gets in
            # to take them away (facts sheet 3.3).
            ManagedPolicy(
                "Boundary",
                BOUNDARY,
                "The most that a role made by xgrant can do",
                boundary(options),
                ("ReaderPolicy", "WriterPolicy"),
            ),
        ),
    )


def qualified(*actions: str) -> list[str]:
    """Return actions of IAM as a policy has them."""
    return [f"iam:{action}" for action in actions]


def _trust(options: Options, hub: str) -> Document:
    """Return who may assume a role: the hub, by its ARN and not its id, so that it may be made anew (facts 4.4, 7)."""
    equals = {}
    if options.organization:
        equals["aws:PrincipalOrgID"] = options.organization
    if options.external_id:
        equals["sts:ExternalId"] = options.external_id
    account = f"arn:{PARTITION}:iam::{options.hub_account}"
    condition: dict[str, Any] = {"ArnEquals": {"aws:PrincipalArn": f"{account}:role/{hub}"}}
    return policy({
        "Effect": "Allow",
        "Principal": {"AWS": f"{account}:root"},
        "Action": "sts:AssumeRole",
        "Condition": condition | ({"StringEquals": equals} if equals else {}),
    })  # fmt: skip


def _reads(sid: str, *actions: str) -> Document:
    # On any resource: of what does not exist IAM knows no path, and says AccessDenied in the place of NoSuchEntity.
    return allow(sid, [*actions], "*")


def reader(options: Options) -> Document:
    """Return what the reading role may do: plan, drift, import, verify, doctor, and audit unless that is left out."""
    return policy(*(_reads(sid, *parts()[sid]) for sid in ("Read", "Look", *(("Audit",) if options.audit else ()))))


def writer(options: Options) -> Document:
    """Return what the writing role may do."""
    return policy(
        # Doctor asks what the role may do, as that role.
        _reads("Read", *parts()["Read"], *parts()["Reread"], SIMULATE),
        *_on_roles(options),
        allow("OwnPolicies", [*MANAGED_POLICY], [_own_policies(options)]),
        *_on_callers(options),
        *_denials(options),
    )


def _own_roles(options: Options) -> str:
    return f"{_IAM}role{options.path}*"


def _own_policies(options: Options) -> str:
    return f"{_IAM}policy{stack_path(options.stack)}*"


def _on_roles(options: Options) -> Iterator[Document]:
    """Yield what is allowed on the roles below the path: all that gives something only under the boundary.

    A role without any stack's tag is the stack's to take: TagRole is asked for when a role is made, too, and IAM has no
    condition that tells the two apart. One of another stack is not.
    """
    own = [_own_roles(options)]
    marked = {f"aws:RequestTag/{STACK_TAG}": options.stack}
    not_anothers = {f"aws:ResourceTag/{STACK_TAG}": options.stack}
    bounded = {"iam:PermissionsBoundary": _BOUNDARY}
    yield allow("MakeRoles", qualified("CreateRole"), own, {"StringEquals": marked, "ArnEquals": bounded})
    yield allow("MarkRoles", qualified("TagRole"), own, {"StringEqualsIfExists": {**marked, **not_anothers}})
    giving = ("PutRolePermissionsBoundary", "UpdateAssumeRolePolicy", "UpdateRole", "PutRolePolicy", "AttachRolePolicy")
    yield allow("GiveToRoles", qualified(*giving), own, {"StringEqualsIfExists": not_anothers, "ArnEquals": bounded})
    taking = ("DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "UntagRole")
    yield allow("TakeFromRoles", qualified(*taking), own, {"StringEqualsIfExists": not_anothers})
    yield allow("FreeRoles", [INSTANCE_PROFILE], [f"{_IAM}instance-profile{options.path}*"])


def _on_callers(options: Options) -> Iterator[Document]:
    """Yield what is allowed on the principals that get caller policies; IAM has no condition on what those say.

    One with an account is a caller in that account only: elsewhere there is nothing of that ARN.
    """
    kinds = options.caller_kinds()
    callers = [name if name.startswith("arn:") else f"{_IAM}{name}" for name in sorted({*options.callers})]
    if kinds and options.caller_policies in ("inline", "both"):
        yield allow("CallersInline", [action for kind in kinds for action in CALLER[kind]], callers)
    if kinds and options.caller_policies in ("managed", "both"):
        attaching = [action for kind in kinds for action in ATTACH[kind]]
        yield allow("CallersManaged", attaching, callers, {"ArnLike": {"iam:PolicyARN": _own_policies(options)}})


def _denials(options: Options) -> Iterator[Document]:
    """Yield what holds whatever else is attached to the role, by whomever."""
    if PrincipalKind.ROLE in options.caller_kinds():
        # A pattern of callers may lie over the roles below the path.
        own = [_own_roles(options)]
        giving = qualified("PutRolePolicy", "AttachRolePolicy")
        taking = qualified("DeleteRolePolicy", "DetachRolePolicy")
        yield deny("Unbounded", own, {"ArnNotEquals": {"iam:PermissionsBoundary": _BOUNDARY}}, Action=giving)
        tag = f"aws:ResourceTag/{STACK_TAG}"
        # What negates is met by a role without the tag, too.
        others = {"StringNotEquals": {tag: options.stack}, "Null": {tag: "false"}}
        yield deny("Others", own, others, Action=[*giving, *taking])
    yield deny("Boundaries", "*", Action=[UNBOUND, "iam:DeleteUserPermissionsBoundary"])
    # A role without the mark is in no plan: who could take it away could hide what they have made. IAM compares the
    # keys of tags on roles without regard to case (facts sheet 1.2).
    mark = {"ForAnyValue:StringEqualsIgnoreCase": {"aws:TagKeys": STACK_TAG}}
    yield deny("Marks", "*", mark, Action=qualified("UntagRole"))
    own = [*(f"{_IAM}role/{name}" for name in ROLES), _BOUNDARY]
    yield deny("Itself", own, NotAction=[*qualified("Get*", "List*"), SIMULATE])


def boundary(options: Options) -> Document:
    """Return the most that a granted role can do: whatever its own policies say, it makes nobody more than they are."""
    if options.boundary_actions:
        ceiling: Document = allow("Ceiling", sorted({*options.boundary_actions}), "*")
    else:
        excepted = [f"{service}:*" for service in (*IDENTITY, _LENT)]
        ceiling = {"Sid": "Ceiling", "Effect": "Allow", "NotAction": excepted, "Resource": "*"}
    chaining = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    return policy(
        ceiling,
        allow("Look", [*qualified("Get*", "List*"), "sts:GetCallerIdentity"], "*"),
        # From one granted role into another, each with a boundary; into nothing that trusts whole accounts.
        allow("Chain", chaining, [f"arn:{PARTITION}:iam::*:role{options.path}*"]),
    )
