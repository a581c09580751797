"""What moto does not look at when it checks permissions: dates in conditions, and whose session it is.

moto takes a condition of dates for one that holds, and a session by the name of its role. Here a statement counts only
where its dates hold, and a session ends with its role: one that is made anew under the same name has another id, and
other sessions (facts sheet 3.3). What moto makes of other conditions is left to it.
"""

from __future__ import annotations

import operator
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from moto.iam import access_control as _access_control
from moto.iam.models import iam_backends
from moto.sts import models as _models
from moto.sts.models import sts_backends

from reconciler.policy.case import fold
from reconciler.policy.instants import instant_of
from reconciler.sandbox import moment

# moto's names are exchanged in place: it has no switch for them.
access_control: Any = _access_control
models: Any = _models

_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "dateequals": operator.eq, "datenotequals": operator.ne, "datelessthan": operator.lt,
    "datelessthanequals": operator.le, "dategreaterthan": operator.gt, "dategreaterthanequals": operator.ge,
}  # fmt: skip
_KEYS = ("aws:currenttime", "aws:tokenissuetime")
_context = threading.local()


def dates_hold(condition: Mapping[str, Mapping[str, Any]], issued: float | None) -> bool:
    """Return whether the parts of a condition hold that compare the time of the request, or that of its session.

    `issued` is None where the caller has no session: then its time is in no request (user guide, "AWS global condition
    context keys", aws:TokenIssueTime).
    """
    for name, block in condition.items():
        folded = fold(name)
        compare = _COMPARED.get(folded.removesuffix("ifexists"))
        for key, stated in block.items():
            if compare is None or fold(key) not in _KEYS:
                continue
            value = moment.now() if fold(key) == "aws:currenttime" else issued
            if value is None:
                if not folded.endswith("ifexists"):
                    return False
                continue
            values = [_seconds(str(one)) for one in (stated if isinstance(stated, list) else [stated])]
            # A negated operator demands it of all values (user guide, "Multiple values in a condition").
            if not (all if "not" in folded else any)(compare(value, one) for one in values):
                return False
    return True


def issued_at(session: Any | None) -> float | None:
    """Return when a session began; None where there is none."""
    return None if session is None else float(session.issued)


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{5,}", text) else instant_of(text)


class _Session(_models.AssumedRole):
    """A session that knows when it began, and of which role, by its id."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.issued = moment.now()
        self.role_id = _role_id(self)


def _role_id(session: Any) -> str:
    """Return the id of the role that a session has by its name today; empty where there is none."""
    backend = iam_backends[session.account_id][session.partition]
    return next((role.id for role in backend.roles.values() if role.arn == session.role_arn), "")


class _Statement(_access_control.IAMPolicyStatement):
    def is_action_permitted(self, *arguments: Any, **named: Any) -> Any:
        if not dates_hold(self._statement.get("Condition") or {}, getattr(_context, "issued", None)):
            return access_control.PermissionResult.NEUTRAL
        return super().is_action_permitted(*arguments, **named)


_check_action_permitted = _access_control.IAMRequestBase.check_action_permitted


def _check(request: Any, resource: str) -> None:
    key = request._access_key._access_key_id
    session: Any = sts_backends[request.account_id]["aws"].get_assumed_role_from_access_key(key)
    if session is not None and session.role_id != _role_id(session):
        request._raise_access_denied()
    _context.issued = issued_at(session)
    _check_action_permitted(request, resource)


def install() -> None:
    """Let moto look at them, in this process."""
    models.AssumedRole = _Session
    access_control.IAMPolicyStatement = _Statement
    access_control.IAMRequestBase.check_action_permitted = _check
