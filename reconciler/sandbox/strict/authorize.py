"""Who may do what by the policies of their own account: identity policies, cut by a boundary and a session policy.

moto reads only actions of a statement, and refuses an Allow with any condition; so it is not asked (facts sheet 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from moto.iam import access_control

from reconciler.policy.document import listed
from reconciler.sandbox import moment
from reconciler.sandbox.strict import accounts, identity
from reconciler.sandbox.strict.asked import asked
from reconciler.sandbox.strict.callers import Caller, caller_of, caller_with_key
from reconciler.sandbox.strict.evaluate import Asked, Context, decide
from reconciler.sandbox.strict.wire import Environ, RefusedError, Request

# moto's names are exchanged in place: it has no switch for them.
control: Any = access_control


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer: who asked for what, and whether it was allowed."""

    caller: str
    asked: Asked
    allowed: bool


_ANYBODY = ("*", {"AWS": "*"})

Observer = Callable[[Judged], None]


def check_allowed(request: Request, observer: Observer) -> None:
    """Refuse a call of IAM or STS that the caller's own policies do not allow.

    Raises:
        RefusedError: AccessDenied, 403.

    """
    caller = caller_of(request)
    if caller is None or request.operation == "GetCallerIdentity":
        return  # moto refuses an access key that it does not know
    for each in asked(request):
        if not _judge(caller, each, observer):
            on = "" if each.resource == "*" else f" on resource: {each.resource}"
            raise RefusedError("AccessDenied", f"User: {caller.arn} is not authorized to perform: {each.action}{on}")


def of_caller(caller: Caller) -> Context:
    """Return what a context says of who asks, and when."""
    organization = accounts.organization_of(caller.account)
    return {
        "aws:principalarn": (caller.entity_arn,),
        "aws:principalaccount": (caller.account,),
        "aws:currenttime": (str(moment.now()),),
        # What stands for AWS speaks plain HTTP; what it stands for does not.
        "aws:securetransport": ("true",),
        **({"aws:principalorgid": (organization,)} if organization else {}),
        **({"aws:tokenissuetime": (str(caller.session.issued),)} if caller.session is not None else {}),
    }


def _judge(caller: Caller, each: Asked, observer: Observer) -> bool:
    each = replace(each, context={**each.context, **of_caller(caller)})
    limit = None if caller.session is None else caller.session.policy
    allowed = (
        caller.entity is not None and identity.decided(caller.account, caller.entity, each, limit) == identity.ALLOWED
    )
    observer(Judged(caller.entity_arn, each, allowed))
    return allowed


def of_object(environ: Environ) -> Context:
    """Return what a context says of a conditional write to S3."""
    sent = (("s3:if-none-match", "HTTP_IF_NONE_MATCH"), ("s3:if-match", "HTTP_IF_MATCH"))
    return {key: (environ[name],) for key, name in sent if name in environ}


@contextmanager
def judging(observer: Observer, sent: Context) -> Iterator[None]:
    """Let moto ask here what it would judge itself, for calls that the caller keeps apart from all others.

    It still checks signatures. Calls of IAM and STS are judged before they reach it. `sent` is what the context says of
    the request, see `of_object`.
    """

    def check_action_permitted(self: Any, resource: str) -> None:
        caller = caller_with_key(self.account_id, self._access_key._access_key_id)
        each = Asked(self._action, resource, sent)
        if self._service not in ("iam", "sts") and (caller is None or not _judge(caller, each, observer)):
            self._raise_access_denied()

    def is_action_permitted(self: Any, action: str, resource: str = "*", *_: object) -> Any:
        """Judge the policy of a bucket."""
        # Who asks is not known here; what only some are allowed their own policies say.
        statements = [one for one in listed(self._policy_json["Statement"]) if one["Principal"] in _ANYBODY]
        context = {**sent, "aws:securetransport": ("true",)}
        said = decide([{"Statement": statements}], Asked(action, resource, context))
        results = control.PermissionResult
        return results.NEUTRAL if said is None else results.PERMITTED if said else results.DENIED

    standing = (control.IAMRequestBase.check_action_permitted, control.IAMPolicy.is_action_permitted)
    _swap(check_action_permitted, is_action_permitted)
    try:
        yield
    finally:
        _swap(*standing)


def _swap(request: Any, policy: Any) -> None:
    control.IAMRequestBase.check_action_permitted = request
    control.IAMPolicy.is_action_permitted = policy
