"""What a call of IAM or STS needs permission for: its actions, their resource, and the context of the request.

Resources and condition keys are those of the service authorization reference (facts sheet 7). What does not exist yet,
or any more, has no tags, and an ARN without a path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reconciler.policy.case import fold
from reconciler.sandbox.strict import accounts, tags
from reconciler.sandbox.strict.evaluate import Asked, Context
from reconciler.sandbox.strict.wire import Request

_NAMED = (
    ("InstanceProfile", "instance-profile"), ("Group", "group"), ("Role", "role"), ("User", "user"),
)  # fmt: skip
"""Which parameter says what a call is about, in this order: of RemoveRoleFromInstanceProfile it is the profile."""

_BOUNDARY_KEY = {
    *(f"{verb}RolePolicy" for verb in ("Put", "Delete", "Attach", "Detach")),
    *(f"{verb}UserPolicy" for verb in ("Put", "Delete", "Attach", "Detach")),
    *(f"{verb}{kind}PermissionsBoundary" for verb in ("Put", "Delete") for kind in ("Role", "User")),
    "CreateRole", "DeleteRole", "GetRole", "UpdateRole", "UpdateRoleDescription", "UpdateAssumeRolePolicy",
    "CreateUser",
}  # fmt: skip
"""The operations whose context has `iam:PermissionsBoundary`."""

_TAGGED_AT_BIRTH = {"CreateRole": "TagRole", "CreateUser": "TagUser", "CreatePolicy": "TagPolicy"}


def asked(request: Request) -> Iterator[Asked]:
    """Yield all that has to be allowed for a call: of one that makes something with tags, tagging it too."""
    if request.service == "sts":
        yield from _of_sts(request)
        return
    resource, entity = _resource(request)
    context = {fold(key): values for key, values in _context(request, entity)}
    yield Asked(f"iam:{request.operation}", resource, context)
    if request.operation in _TAGGED_AT_BIRTH and request.tags():
        of_tags = {key: values for key, values in context.items() if key != "iam:permissionsboundary"}
        yield Asked(f"iam:{_TAGGED_AT_BIRTH[request.operation]}", resource, of_tags)


def _of_sts(request: Request) -> Iterator[Asked]:
    """Yield what a call of STS needs; one with a token or an assertion has nobody who would need a permission."""
    if request.operation == "AssumeRole":
        context = {key: values for key, values in of_session(request).items() if values}
        for action in session_actions(request):
            yield Asked(action, request.get("RoleArn") or "*", context)
    elif not request.operation.startswith("AssumeRole"):
        yield Asked(f"sts:{request.operation}", "*", {})


def session_actions(request: Request) -> tuple[str, ...]:
    """Return what both sides have to allow: what is sent with it needs more than AssumeRole (facts sheet 6)."""
    source_identity = ("sts:SetSourceIdentity",) if request.get("SourceIdentity") else ()
    return ("sts:AssumeRole", *source_identity, *(("sts:TagSession",) if request.tags() else ()))


def of_session(request: Request) -> Context:
    """Return what AssumeRole says of the session that it asks for; the keys that are not sent have no value."""
    sent = (("sts:externalid", "ExternalId"), ("sts:rolesessionname", "RoleSessionName"))
    found = {key: request.get(name) for key, name in (*sent, ("sts:sourceidentity", "SourceIdentity"))}
    tags = {f"aws:requesttag/{fold(key)}": (value,) for key, value in request.tags()}
    return {**{key: () if value is None else (value,) for key, value in found.items()}, **tags}


def _resource(request: Request) -> tuple[str, Any | None]:
    """Return the ARN of what a call is about, and the thing itself where it exists."""
    for kind, word in _NAMED:
        name = request.get(f"{kind}Name")
        if name is not None:
            if request.operation == f"Create{kind}":
                return _arn(request, word, request.get("Path"), name), None
            entity = _entity(request, kind, name)
            return (_arn(request, word, None, name) if entity is None else str(entity.arn)), entity
    if request.operation == "CreatePolicy":
        return _arn(request, "policy", request.get("Path"), request.get("PolicyName") or ""), None
    for parameter in ("PolicyArn", "OpenIDConnectProviderArn", "PolicySourceArn"):
        if arn := request.get(parameter):
            return arn, accounts.backend(request.account).managed_policies.get(arn)
    return "*", None


def _entity(request: Request, kind: str, name: str) -> Any | None:
    if kind == "InstanceProfile":
        profiles = accounts.backend(request.account).instance_profiles.values()
        return next((profile for profile in profiles if profile.name == name), None)
    return accounts.holders(request.account, kind).get(name)


def _arn(request: Request, word: str, path: str | None, name: str) -> str:
    return f"arn:aws:iam::{request.account}:{word}{path or '/'}{name}"


def _context(request: Request, entity: Any | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    sent = dict(request.tags())
    keys = (*sent, *request.members("TagKeys"))
    if keys:
        yield "aws:TagKeys", keys
    for key, value in sent.items():
        yield f"aws:RequestTag/{key}", (value,)
    for key, value in tags.of_entity(entity):
        yield f"aws:ResourceTag/{key}", (value,)
        yield f"iam:ResourceTag/{key}", (value,)
    arn = request.get("PolicyArn")
    if arn is not None and request.operation.startswith(("Attach", "Detach")):
        yield "iam:PolicyARN", (arn,)
    if request.operation in _BOUNDARY_KEY:
        # moto keeps none of users.
        boundary = request.get("PermissionsBoundary") or getattr(entity, "permissions_boundary_arn", None)
        if boundary:
            yield "iam:PermissionsBoundary", (boundary,)
