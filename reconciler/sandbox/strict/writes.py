"""Writes that AWS refuses for what the entity is, or what is still on it (facts sheet 3.3, 3.4)."""

from __future__ import annotations

from typing import Any

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.limits import check_policy_exists
from reconciler.sandbox.strict.wire import RefusedError, Request

_PROTECTED_PATHS = ("/aws-service-role/", "/aws-reserved/")
# What facts sheet 3.4 leaves open on a service-linked role; of UpdateRole the description.
_OPEN_ON_SERVICE_ROLES = ("TagRole", "UntagRole", "UpdateRoleDescription", "UpdateRole")
_READS = ("Get", "List", "Simulate", "PassRole")

_MUST_DETACH = "Cannot delete entity, must detach all policies first."
_MUST_DELETE = "Cannot delete entity, must delete policies first."


def check_protected(request: Request) -> None:
    """Refuse to change a role that is AWS's own (facts sheet 3.4), or to make one.

    Raises:
        RefusedError: UnmodifiableEntity, 400; of CreateRole InvalidInput, 400.

    """
    name = request.get("RoleName")
    if name is None or request.operation.startswith(_READS):
        return
    if request.operation == "CreateRole":
        path = request.get("Path") or "/"
        if path.startswith(_PROTECTED_PATHS):
            raise RefusedError("InvalidInput", f"The path {path} is reserved for AWS.")
        return
    role = accounts.holders(request.account, "Role").get(name)
    if role is None or not role.path.startswith(_PROTECTED_PATHS):
        return
    service = role.path.startswith("/aws-service-role/")
    if service and request.operation in _OPEN_ON_SERVICE_ROLES and request.get("MaxSessionDuration") is None:
        return
    raise RefusedError(
        "UnmodifiableEntity",
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS",
    )


def check_boundary(request: Request) -> None:
    """Refuse a permissions boundary that is no managed policy there is.

    Raises:
        RefusedError: NoSuchEntity, 404.

    """
    arn = request.get("PermissionsBoundary")
    if arn is not None:
        check_policy_exists(request.account, arn)


def check_delete(request: Request) -> None:
    """Refuse to delete what still has something on it, with the messages of facts sheet 3.3.

    Raises:
        RefusedError: DeleteConflict, 409.

    """
    if request.operation == "DeletePolicy":
        _check_policy(request)
        return
    kind = request.operation.removeprefix("Delete")
    if kind not in ("Role", "User", "Group"):
        return
    entity = accounts.holders(request.account, kind).get(request.get(f"{kind}Name") or "")
    if entity is None:
        return
    if kind == "Role" and entity.instance_profile_list:
        raise _conflict("Cannot delete entity, must remove roles from instance profile first.")
    if entity.managed_policies:
        raise _conflict(_MUST_DETACH)
    if entity.policies:
        raise _conflict(_MUST_DELETE)
    _check_members(request, kind, entity)


def _check_members(request: Request, kind: str, entity: Any) -> None:
    if kind == "User":
        groups = accounts.holders(request.account, "Group").values()
        if any(entity in group.users for group in groups):
            raise _conflict("Cannot delete entity, must remove users from group first.")
        if entity.access_keys:
            raise _conflict("Cannot delete entity, must delete access keys first.")
    if kind == "Group" and entity.users:
        raise _conflict("Cannot delete entity, must remove users from group first.")


def _check_policy(request: Request) -> None:
    arn = request.get("PolicyArn") or ""
    iam = accounts.backend(request.account)
    policy = iam.managed_policies.get(arn)
    if policy is None:
        return
    everyone = [e for kind in ("Role", "User", "Group") for e in accounts.holders(request.account, kind).values()]
    if any(arn in e.managed_policies or getattr(e, "permissions_boundary_arn", None) == arn for e in everyone):
        raise _conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise _conflict("This policy has more than one version. Before you delete a policy, you must delete the "
                        "policy's versions. The default version is deleted with the policy.")  # fmt: skip


def _conflict(message: str) -> RefusedError:
    return RefusedError("DeleteConflict", message)
