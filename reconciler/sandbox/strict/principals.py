"""The principals of trust policies: they must exist, and are held as unique ids (facts sheet 4.3, 4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.wire import RefusedError

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws:iam::(\d{12}):root")
_SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/[\w+=,.@-]{2,64}")
_ID = re.compile(r"(AIDA|AROA)\w+")

Bindings = dict[str, str]
"""The unique id that each user and role ARN of one trust policy stood for when it was written."""


class Trusts:
    """Which ids the trust policies of all roles are bound to; `closed` are accounts that are none any more."""

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self._bound: dict[str, Bindings] = {}

    def resolve(self, document: str, visible: Callable[[str], bool]) -> tuple[str, Bindings]:
        """Return a trust policy with living ids as ARNs, and its bindings; `visible` says whether an id may be named.

        Raises:
            RefusedError: MalformedPolicyDocument, 400, for a principal that does not exist.

        """
        parsed = json.loads(document)
        bindings: Bindings = {}

        def resolved(value: str) -> str:
            if _ID.fullmatch(value):
                found = accounts.principal_with_id(value)
                if found is None or not visible(value):
                    raise _invalid_principal(value)
                bindings[found.arn] = found.id
                return str(found.arn)
            if self._plain(value):
                return value
            found = accounts.principal_with_arn(value)
            if found is None or not visible(found.id):
                raise _invalid_principal(value)
            bindings[value] = found.id
            return value

        changed = _map_principals(parsed, resolved)
        return (document if changed == parsed else json.dumps(changed)), bindings

    def bind(self, role_id: str, bindings: Bindings) -> None:
        """Note what the trust policy of a role is bound to from now on."""
        self._bound[role_id] = bindings

    def shown(self, role_id: str, parsed: Any) -> Any:
        """Return a trust policy as AWS shows it: an ARN while the very entity lives, then its id; accounts as root."""
        bindings = self._bound.get(role_id, {})

        def spelled(value: str) -> str:
            if _ACCOUNT.fullmatch(value):
                return f"arn:aws:iam::{value}:root"
            bound = bindings.get(value)
            return value if bound is None or accounts.principal_with_id(bound) is not None else bound

        return _map_principals(parsed, spelled)

    def id_of(self, role_id: str, arn: str) -> str | None:
        """Return the id that an ARN in the trust policy of a role stands for."""
        return self._bound.get(role_id, {}).get(arn)

    def clear(self) -> None:
        """Forget everything."""
        self.closed.clear()
        self._bound.clear()

    def _plain(self, value: str) -> bool:
        """Return whether the value names no single user or role, and may stand."""
        account = value if _ACCOUNT.fullmatch(value) else None
        if root := _ROOT.fullmatch(value):
            account = root.group(1)
        if account is not None:
            return account not in self.closed
        if session := _SESSION.fullmatch(value):
            return session.group(1) in accounts.known_accounts() and session.group(2) in accounts.holders(
                session.group(1), "Role"
            )
        return value == "*"


def aws_principals(statement: dict[str, Any]) -> Iterator[str]:
    """Yield the AWS principals of a statement."""
    principal = statement.get("Principal")
    if principal == "*":
        yield "*"
    elif isinstance(principal, dict):
        values = principal.get("AWS", [])
        yield from values if isinstance(values, list) else [values]


def statements(parsed: Any) -> list[dict[str, Any]]:
    """Return the statements of a parsed document; none of one that is no policy."""
    found = parsed.get("Statement", []) if isinstance(parsed, dict) else []
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, dict)]


def _map_principals(parsed: Any, change: Callable[[str], str]) -> Any:
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        return parsed
    changed = []
    for statement in statements(parsed):
        principal = statement.get("Principal")
        if isinstance(principal, str) and principal != "*":
            raise RefusedError("MalformedPolicyDocument", "Syntax errors in policy.")
        if isinstance(principal, dict) and "AWS" in principal:
            values = principal["AWS"]
            mapped = [change(value) for value in values] if isinstance(values, list) else change(values)
            statement = {**statement, "Principal": {**principal, "AWS": mapped}}
        changed.append(statement)
    return {**parsed, "Statement": changed if isinstance(parsed["Statement"], list) else changed[0]}


def _invalid_principal(value: str) -> RefusedError:
    return RefusedError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{value}"')
