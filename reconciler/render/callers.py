"""Callers and principals in words."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.audit import Who, WhoKind
from reconciler.model import Principal, PrincipalKind


def who_words(who: Who, names: Mapping[str, str]) -> str:
    """Return who a caller is in words; `names` are those of the manifest's accounts by their ids."""
    where = f" of {names.get(who.account, who.account)}" if who.account else ""
    match who.kind:
        case WhoKind.ROLE if who.permission_set():
            return f"permission set {who.permission_set()}{where}"
        case WhoKind.WEB_IDENTITY:
            return f"token {who.name} of {who.provider}"
        case WhoKind.SAML:
            return f"SAML user {who.name}"
        case WhoKind.HIDDEN:
            return f"id {who.name}{where}"
        case WhoKind.ROOT:
            return f"root{where}"
        case WhoKind.OTHER:
            return f"{who.name or 'somebody'}{where}"
    return f"{who.kind} {who.name}{where}"


def principal_words(principal: Principal) -> str:
    """Return whom a manifest names, in words."""
    if principal.kind is PrincipalKind.ACCOUNT:
        return f"whoever {principal.account} lets in"
    return f"{principal.kind} {principal.path}{principal.name} of {principal.account}".replace(" /", " ", 1)
