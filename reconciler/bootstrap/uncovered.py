"""What manifests ask for and the writing role of the templates could not do: apply would fail there, half-way."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from reconciler.bootstrap.options import BOUNDARY, WRITER, Options
from reconciler.model import Account, Grant, Manifest, Principal, PrincipalKind
from reconciler.policy.arn import iam_arn
from reconciler.wording import few

_NAMED = (PrincipalKind.USER, PrincipalKind.GROUP, PrincipalKind.ROLE)


def callers(manifest: Manifest, path: str) -> tuple[str, ...]:
    """Return the ARNs of the principals that get caller policies.

    Without the roles below xgrant's own `path`: it may write those anyway.
    """
    named = {
        principal
        for grant in manifest.grants
        if grant.makes_caller_policies
        for principal in grant.principals
        if principal.kind in _NAMED and manifest.accounts[principal.account].managed
    }
    own = (PrincipalKind.ROLE, path)
    found = (one for one in named if (one.kind, one.path[: len(path)]) != own)
    return tuple(sorted(_arn(manifest.accounts[one.account], one) for one in found))


def uncovered(manifest: Manifest, options: Options) -> Iterator[str]:
    """Yield a sentence, with what to do, for each thing that the manifests want of the writing role and it may not do.

    A permissions boundary that no grant states is none: what to say in the manifests is printed with the templates.
    """
    roles = sorted(
        (grant for grant in manifest.grants if manifest.accounts[grant.target].managed),
        key=lambda one: (one.place.file, one.place.line, one.target),
    )
    if outside := [_role(grant) for grant in roles if not grant.role_path.startswith(options.path)]:
        yield (
            f"{WRITER} makes roles below {options.path} only, and not {few(outside)}; say `path: {options.path}` in "
            "`defaults`, and none in the grants that is elsewhere"
        )
    if unbound := [_role(grant) for grant in roles if not _bound(grant, manifest.accounts[grant.target])]:
        yield (
            f"{WRITER} makes roles with {BOUNDARY} only, and not {few(unbound)}; take the `permissions_boundary` away "
            "there"
        )
    if unnamed := [arn for arn in callers(manifest, options.path) if not _named(arn, options.callers)]:
        yield (
            f"{few(unnamed)} {'is a caller' if len(unnamed) == 1 else 'are callers'} and {WRITER} may not write their "
            "policies; name them by --caller too, or leave --caller out: then the callers are those of the manifests"
        )


def _role(grant: Grant) -> str:
    return f"{grant.target}/role/{grant.role_name} ({grant.place.file}:{grant.place.line})"


def _bound(grant: Grant, account: Account) -> bool:
    boundary = iam_arn(account.partition, account.id, "policy", "/", BOUNDARY)
    return grant.permissions_boundary in (None, boundary)


def _named(arn: str, patterns: tuple[str, ...]) -> bool:
    """Return whether one of the patterns means the principal: `*` and `?` as in IAM, of one account or of each."""
    return any(fnmatchcase(arn if one.startswith("arn:") else arn.rsplit(":", 1)[-1], one) for one in patterns)


def _arn(account: Account, principal: Principal) -> str:
    return iam_arn(account.partition, account.id, principal.kind, principal.path, principal.name)
