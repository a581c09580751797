"""A manifest of what was made by hand, tried before it is given out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.desired import desired_state
from reconciler.errors import ManifestError, UsageError, XgrantError
from reconciler.importer import Draft, draft
from reconciler.manifest import load
from reconciler.manifest.dump import dump
from reconciler.model import (
    Account,
    AccountFacts,
    Action,
    Change,
    Live,
    Manifest,
    Organization,
    Role,
    Scope,
    Severity,
)
from reconciler.ownership import role_tags
from reconciler.planner import plan
from reconciler.ports import Reader
from reconciler.principals import with_arns
from reconciler.render.escape import escape
from reconciler.rules import RULES
from reconciler.wording import few

_IMPORTED = "(the manifest of the imported roles)"


def import_roles(
    paths: Sequence[str], manifest: Manifest, reader: Reader, *, account: str, roles: frozenset[str]
) -> tuple[str, Draft]:
    """Return the text of a manifest of an account's cross-account roles, and what was and was not imported.

    `paths` are the files of `manifest`. The text is to stand beside them. Only what was tried is in it: loaded with
    them, and planned against what was read, each of its grants adopts its role and writes nothing but marks.

    Raises:
        UsageError: the account or a role that was asked for is not there.
        XgrantError: the account could not be read. Of other accounts, the draft says so.

    """
    if account not in manifest.accounts or not manifest.accounts[account].managed:
        known = few([name for name, found in sorted(manifest.accounts.items()) if found.managed])
        raise UsageError(f"--account: {account} is no managed account of the manifests (managed: {known or 'none'})")
    accounts = tuple(manifest.accounts.values())
    live = with_arns(reader.read(Scope(manifest.stack, accounts, frozenset(), whole=frozenset([account]))))
    if error := live.facts[account].error:
        raise XgrantError(error)
    standing = {address.name for address, found in live.state.items() if isinstance(found, Role)}
    if missing := sorted(roles - standing):
        raise UsageError(f"--role: account {account} has no role {', '.join(missing)}")
    left: Mapping[str, str] = {}
    unread: tuple[str, ...] = ()
    while True:
        found = draft(live, manifest, account, roles=roles, left=left)
        unread = unread or found.unread
        text = _text_of(found)
        if not (refused := _refused(text, found, paths, live, manifest)):
            return text, replace(found, unread=unread)
        left = {**found.left, **refused}


def _text_of(found: Draft) -> str:
    return dump(
        found.accounts,
        {item.grant: item.data for item in found.imported},
        head=[f"not imported: the role {escape(role)}: {escape(why)}" for role, why in sorted(found.left.items())],
        notes={item.grant: [escape(note) for note in item.notes] for item in found.imported},
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A directory that says again what the organization has said before."""

    manifest: Manifest

    def accounts(self, organization: Organization, *, tags: bool) -> tuple[Account, ...]:
        assert organization == self.manifest.organization  # the same files
        assert tags is not None  # those that were needed are there
        known = (*self.manifest.accounts.values(), *self.manifest.inactive)
        return tuple(account for account in known if account.listed)


def _refused(text: str, found: Draft, paths: Sequence[str], live: Live, before: Manifest) -> dict[str, str]:
    """Return by role why its grant, beside the other manifests, does not say all that AWS has."""
    roles = {item.grant: item.role for item in found.imported}
    try:
        manifest = load(paths, more={_IMPORTED: text}, directory=_Known(before))
    except ManifestError as error:
        refused = {name: problem for name, problem in error.by_grant.items() if name in roles}
        if not refused:
            raise
        return {roles[name]: f"a manifest cannot say it: {problem.message}" for name, problem in refused.items()}
    grants = [grant for grant in manifest.grants if grant.name in roles]
    desired = desired_state(grants, manifest.accounts, stack=manifest.stack)
    # What the stack owns already is no part of the question.
    facts = {**{name: AccountFacts(known) for name, known in manifest.accounts.items()}, **live.facts}
    seen = {address: role for address, role in live.state.items() if isinstance(role, Role) and address in desired}
    tried = plan(desired, Live(seen, facts), stack=manifest.stack, rules=RULES)
    reasons: dict[str, str] = {}
    for finding in tried.findings:
        if finding.severity is Severity.ERROR and finding.grant in roles:
            reasons.setdefault(roles[finding.grant], finding.message)
    for change in tried.changes:
        if more := _more_than_marks(change):
            reasons.setdefault(roles[change.grant], more)
    return reasons


def _more_than_marks(change: Change) -> str:
    """Say what a change does beside marking what it takes over; nothing where that is all."""
    if change.action is not Action.ADOPT:
        return f"to plan it would {change.action} {change.address}"
    if others := set(change.attributes) - {"tags", "name", "beside"}:
        return f"a manifest cannot say the same of its {', '.join(sorted(others))}"
    if isinstance(change.before, Role) and isinstance(change.after, Role):
        marks = role_tags("", "")
        given = {key: value for key, value in change.after.tags.items() if key not in marks}
        if given != change.before.tags:
            other = few(sorted(key for key, value in given.items() if change.before.tags.get(key) != value))
            return (
                f"defaults would give it other tags ({other}); take them out of `defaults` while you import, or write "
                "its grant by hand, with `adopt: true`"
            )
    return ""
