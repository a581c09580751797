"""What a managed account gets: a role that reads, a role that writes, and the boundary of all that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.bootstrap.model import (
    ACCOUNT,
    PARTITION,
    Document,
    ManagedPolicy,
    Parameter,
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
    WRITER,
    Options,
)
from reconciler.model import PrincipalKind
from reconciler.ownership import STACK_TAG, stack_path
from reconciler.permissions import ATTACH, CALLER, INSTANCE_PROFILE, MANAGED_POLICY, SIMULATE, UNBOUND, parts

_IAM = f"arn:{PARTITION}:iam::{ACCOUNT}:"
_OWN_ROLES = f"{_IAM}role${{Path}}*"
_OWN_POLICIES = f"{_IAM}policy{stack_path('${Stack}')}*"
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
        tuple(_parameters(options)),
        (
            ManagedPolicy(
                "Boundary",
                BOUNDARY,
                "The most that a role made by xgrant can do",
                boundary(options),
            ),
            Role("Reader", READER, "Reads IAM for xgrant plan and drift", _trust(options, HUB_PLAN)),
            RolePolicy("ReaderPolicy", "Reader", "read", reader()),
            Role("Writer", WRITER, "Writes cross-account roles for xgrant apply", _trust(options, HUB_APPLY)),
            RolePolicy("WriterPolicy", "Writer", "write", writer(options)),
        ),
    )


def qualified(*actions: str) -> list[str]:
    """Return actions of IAM as a policy has them."""
    return [f"iam:{action}" for action in actions]


def _parameters(options: Options) -> Iterator[Parameter]:
    yield Parameter("Stack", "The stack of the manifests", options.stack, "[a-z0-9][a-z0-9-]{0,31}")
    yield Parameter("Path", "Below which path xgrant makes roles", options.path, "/([A-Za-z0-9_+=,.@-]+/)+")
    yield Parameter("HubAccountId", "The account of the hub roles", options.hub_account, "[0-9]{12}")
    if options.organization:
        yield Parameter(
            "OrganizationId", "The organization of the hub account", options.organization, "o-[a-z0-9]{10,32}"
        )
    if options.external_id:
        yield Parameter("ExternalId", "What the hub has to say", options.external_id, "[A-Za-z0-9_+=,.@:/-]{2,}")


def _trust(options: Options, hub: str) -> Document:
    """Return who may assume a role: the hub, by its ARN and not its id, so that it may be made anew (facts 4.4, 7)."""
    equals = {}
    if options.organization:
        equals["aws:PrincipalOrgID"] = "${OrganizationId}"
    if options.external_id:
        equals["sts:ExternalId"] = "${ExternalId}"
    account = f"arn:{PARTITION}:iam::${{HubAccountId}}"
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


def reader() -> Document:
    """Return what the reading role may do: plan, drift, import, verify, doctor and audit."""
    return policy(*(_reads(sid, *parts()[sid]) for sid in ("Read", "Look", "Audit")))


def writer(options: Options) -> Document:
    """Return what the writing role may do."""
    return policy(
        # Doctor asks what the role may do, as that role.
        _reads("Read", *parts()["Read"], *parts()["Reread"], SIMULATE),
        *_on_roles(),
        allow("OwnPolicies", [*MANAGED_POLICY], [_OWN_POLICIES]),
        *_on_callers(options),
        *_denials(options),
    )


def _on_roles() -> Iterator[Document]:
    """Yield what is allowed on the roles below the path: all that gives something only under the boundary.

    A role without any stack's tag is the stack's to take: TagRole is asked for when a role is made, too, and IAM has no
    condition that tells the two apart. One of another stack is not.
    """
    not_anothers = {f"aws:ResourceTag/{STACK_TAG}": "${Stack}"}
    bounded = {"iam:PermissionsBoundary": _BOUNDARY}
    yield allow("MakeRoles", qualified("CreateRole"), [_OWN_ROLES], {
        "StringEquals": {f"aws:RequestTag/{STACK_TAG}": "${Stack}"},
        "ArnEquals": bounded,
    })  # fmt: skip
    yield allow("MarkRoles", qualified("TagRole"), [_OWN_ROLES], {
        "StringEqualsIfExists": {f"aws:RequestTag/{STACK_TAG}": "${Stack}", **not_anothers},
    })  # fmt: skip
    giving = ("PutRolePermissionsBoundary", "UpdateAssumeRolePolicy", "UpdateRole", "PutRolePolicy", "AttachRolePolicy")
    yield allow("GiveToRoles", qualified(*giving), [_OWN_ROLES], {
        "StringEqualsIfExists": not_anothers,
        "ArnEquals": bounded,
    })  # fmt: skip
    taking = ("DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "UntagRole")
    yield allow("TakeFromRoles", qualified(*taking), [_OWN_ROLES], {"StringEqualsIfExists": not_anothers})
    yield allow("FreeRoles", [INSTANCE_PROFILE], [f"{_IAM}instance-profile${{Path}}*"])


def _on_callers(options: Options) -> Iterator[Document]:
    """Yield what is allowed on the principals that get caller policies; IAM has no condition on what those say."""
    kinds = options.caller_kinds()
    callers = [f"{_IAM}{caller}" for caller in sorted({*options.callers})]
    if kinds and options.caller_policies in ("inline", "both"):
        yield allow("CallersInline", [action for kind in kinds for action in CALLER[kind]], callers)
    if kinds and options.caller_policies in ("managed", "both"):
        attaching = [action for kind in kinds for action in ATTACH[kind]]
        yield allow("CallersManaged", attaching, callers, {"ArnLike": {"iam:PolicyARN": _OWN_POLICIES}})


def _denials(options: Options) -> Iterator[Document]:
    if PrincipalKind.ROLE in options.caller_kinds():
        # A pattern of callers may lie over the roles below the path.
        yield deny(
            "Unbounded", [_OWN_ROLES], {"ArnNotEquals": {"iam:PermissionsBoundary": _BOUNDARY}},
            Action=qualified("PutRolePolicy", "AttachRolePolicy"),
        )  # fmt: skip
    yield deny("Boundaries", "*", Action=[UNBOUND, "iam:DeleteUserPermissionsBoundary"])
    # Whatever else is attached to it, by whomever.
    own = [f"{_IAM}role/xgrant-*", _BOUNDARY]
    yield deny("Itself", own, NotAction=[*qualified("Get*", "List*"), SIMULATE])


def boundary(options: Options) -> Document:
    """Return the most that a granted role can do: whatever its own policies say, it makes nobody more than they are."""
    if options.boundary_actions:
        ceiling: Document = allow("Ceiling", sorted({*options.boundary_actions}), "*")
    else:
        excepted = [f"{service}:*" for service in (*IDENTITY, _LENT)]
        ceiling = {"Sid": "Ceiling", "Effect": "Allow", "NotAction": excepted, "Resource": "*"}
    return policy(
        ceiling,
        allow("Look", [*qualified("Get*", "List*"), "sts:GetCallerIdentity"], "*"),
        # From one granted role into another, each with a boundary; into nothing that trusts whole accounts.
        allow("Chain", ["sts:AssumeRole", "sts:TagSession"], [f"arn:{PARTITION}:iam::*:role${{Path}}*"]),
    )
