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


class Trusts:
    """Trust policies as AWS holds them; `closed` are accounts that are none any more."""

    def __init__(self) -> None:
        self.closed: set[str] = set()

    def stored(self, document: str, visible: Callable[[str], bool]) -> str:
        """Return a trust policy as it is held: users and roles by their ids; `visible` says whether one may be named.

        Raises:
            RefusedError: MalformedPolicyDocument, 400, for a principal that does not exist.

        """

        def held(value: str) -> str:
            if self._plain(value):
                return value
            by_id = _ID.fullmatch(value)
            found = accounts.principal_with_id(value) if by_id else accounts.principal_with_arn(value)
            if found is None or not visible(found.id):
                raise _invalid_principal(value)
            return str(found.id)

        parsed = json.loads(document)
        changed = _map_principals(parsed, held)
        return document if changed == parsed else json.dumps(changed)

    def clear(self) -> None:
        """Forget everything."""
        self.closed.clear()

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


def shown(parsed: dict[str, Any]) -> dict[str, Any]:
    """Return a trust policy as AWS shows it: the ARN that a living entity has today for its id; accounts as roots."""

    def spelled(value: str) -> str:
        if _ACCOUNT.fullmatch(value):
            return f"arn:aws:iam::{value}:root"
        found = accounts.principal_with_id(value) if _ID.fullmatch(value) else None
        return value if found is None else str(found.arn)

    return _map_principals(parsed, spelled)


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


def _map_principals(parsed: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return a document of a known shape with each AWS principal changed."""
    changed = []
    for statement in statements(parsed):
        principal = statement.get("Principal")
        if isinstance(principal, dict) and "AWS" in principal:
            values = principal["AWS"]
            mapped = [change(str(v)) for v in values] if isinstance(values, list) else change(str(values))
            statement = {**statement, "Principal": {**principal, "AWS": mapped}}
        changed.append(statement)
    return {**parsed, "Statement": changed if isinstance(parsed["Statement"], list) else changed[0]}


def _invalid_principal(value: str) -> RefusedError:
    return RefusedError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{value}"')
