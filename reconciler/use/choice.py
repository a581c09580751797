"""Which role of which grant is meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.errors import UsageError
from reconciler.model import Account, Grant, Manifest
from reconciler.policy.arn import iam_arn

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Use:
    """One role of a grant, in one target account. `alone` says that the grant has no other target."""

    grant: Grant
    target: Account
    alone: bool = True

    @property
    def role_arn(self) -> str:
        """Return the ARN of the role."""
        return iam_arn(self.target.partition, self.target.id, "role", self.grant.role_path, self.grant.role_name)

    @property
    def label(self) -> str:
        """Return what the command line calls it: `GRANT`, or `GRANT@account` where the grant has several targets."""
        return self.grant.name if self.alone else f"{self.grant.name}@{self.target.name}"


def uses(manifest: Manifest) -> Iterator[Use]:
    """Yield every role of every grant, in order of name and target."""
    several: dict[str, int] = {}
    for grant in manifest.grants:
        several[grant.name] = several.get(grant.name, 0) + 1
    for grant in manifest.grants:
        yield Use(grant, manifest.accounts[grant.target], several[grant.name] == 1)


def chosen(manifest: Manifest, texts: Iterable[str]) -> tuple[Use, ...]:
    """Return all roles that are meant: `GRANT` means those of all its targets, `GRANT@account` the one there.

    Whoever the callers are. The accounts have to be known, those of the organization included.

    Raises:
        UsageError: there is no such grant, or it has no role in that account.

    """
    found: dict[tuple[str, str], Use] = {}
    for text in texts:
        meant = named(manifest, text)
        if not meant:
            raise UsageError(f"only the organization knows the accounts of {text.partition('@')[0]}; name others")
        found |= {(use.grant.name, use.target.name): use for use in meant}
    return tuple(found[key] for key in sorted(found))


def choose(manifest: Manifest, text: str) -> Use | None:
    """Return what `GRANT` or `GRANT@account` means; an account is called by its name or its id.

    A grant may be called by each name that it had (`moved`). None where only the organization knows its accounts.

    Raises:
        UsageError: there is no such grant, it has several targets and none is said, or none of that name; or whoever
            uses it comes with a token.

    """
    found = named(manifest, text)
    if not found:
        return None
    grant = found[0].grant
    if grant.web_identity is not None:
        raise UsageError(
            f"the grant {text.partition('@')[0]} is for who has a token of {grant.web_identity.provider}: let the job "
            f"itself assume the role {found[0].role_arn} with it (sts:AssumeRoleWithWebIdentity)"
        )
    if len(found) == 1:
        return found[0]
    choices = [f"{grant.name}@{one.target.name}" for one in found]
    raise UsageError(
        f"the grant {text.partition('@')[0]} has a role in {len(found)} accounts; name one: {_some(choices)}"
    )


def named(manifest: Manifest, text: str) -> tuple[Use, ...]:
    """Return all that `GRANT` or `GRANT@account` means; nothing where only the organization knows its accounts.

    Raises:
        UsageError: there is no such grant, or it has no role in that account.

    """
    name, at, account = text.partition("@")
    of_grant = tuple(use for use in uses(manifest) if name in use.grant.names())
    if not of_grant:
        if name in manifest.unresolved:
            return ()
        raise UsageError(f"there is no grant {name}; {_known(manifest, name)}")
    found = tuple(use for use in of_grant if not at or account in (use.target.name, use.target.id))
    if not found:
        accounts = [use.target.name for use in of_grant]
        raise UsageError(f"the grant {name} has no role in an account {account}; it has one in {_some(accounts)}")
    return found


def _known(manifest: Manifest, name: str) -> str:
    known = sorted({grant.name for grant in manifest.grants} | set(manifest.unresolved))
    if close := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {close[0]}?"
    return f"the manifests have {_some(known) or 'none'}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
