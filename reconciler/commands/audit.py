"""`xgrant audit`: shows who used which grant, and makes a patch without what nobody uses."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from reconciler.audit import Audit, Removal, Unjudged, unused
from reconciler.commands import clock
from reconciler.commands.output import warn
from reconciler.commands.progress import progress
from reconciler.errors import UsageError
from reconciler.events import Notice
from reconciler.manifest import load
from reconciler.model import Manifest
from reconciler.pipeline.audit import (
    LOOKUP_DAYS,
    AuditRequest,
    check_lookup,
    check_regions,
    covered,
    make_audit,
)
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.unused import unused_patch
from reconciler.render.audit import audit_text
from reconciler.render.audit_data import audit_csv, audit_json
from reconciler.render.escape import escape

_FORMATS = {"table": audit_text, "json": audit_json, "csv": audit_csv}
_A_MONTH = timedelta(days=30)


def run(arguments: argparse.Namespace) -> int:
    """Print the audit, or the patch.

    Return 6 if anything could not be looked at, 2 for findings of the audit, 0 otherwise.
    """
    now = clock.now()
    since, until = _times(arguments, now)
    files = tuple(arguments.from_file)
    if not files:
        check_lookup(since, now, "--since" if arguments.since is not None else "--until")
    elif arguments.region:
        raise UsageError("--region is for CloudTrail; files are read as they are")
    if arguments.unused is not None and arguments.format != "table":
        raise UsageError("--format and --unused do not go together: what is printed is a patch")
    shown = progress(arguments)
    asks = not files or arguments.read_accounts or arguments.unused is not None
    manifest = _manifest(arguments, shown.notice, asks=asks)
    check_regions(manifest, arguments.region)
    request = AuditRequest(
        manifest, since, until, frozenset(arguments.grant), files, tuple(dict.fromkeys(arguments.region)),
        read_accounts=asks,
    )  # fmt: skip
    found = make_audit(request, shown.notice)
    shown.close()
    if arguments.unused is None:
        sys.stdout.write(_FORMATS[arguments.format](found))
    else:
        _print_patch(manifest, found, now - timedelta(seconds=arguments.unused), every_region=not arguments.region)
    for gap in found.looked.gaps:
        where = f" in {', '.join(gap.regions)}" if gap.regions else ""
        warn(escape(f"xgrant: {gap.account} is left out{where}: {gap.error}"))
    for name, why in found.looked.broken:
        warn(escape(f"xgrant: {name}: {why}"))
    if not found.looked.complete():
        return 6
    return 2 if found.findings and arguments.unused is None else 0


def _times(arguments: argparse.Namespace, now: datetime) -> tuple[datetime, datetime]:
    # The second that has begun counts, too.
    soon = now + timedelta(seconds=1)
    until = soon if arguments.until is None else min(soon, _moment(arguments.until, now))
    wanted = timedelta(seconds=arguments.unused or 0)
    if arguments.since is not None:
        since = _moment(arguments.since, now)
    elif arguments.unused is None and arguments.from_file:
        since = until - _A_MONTH
    elif arguments.unused is None:
        oldest = now - timedelta(days=LOOKUP_DAYS)
        since = max(until - _A_MONTH, oldest) if until > oldest else until - _A_MONTH
    elif arguments.from_file:
        since = now - wanted
    else:
        # Whole grants are judged by what IAM keeps, too, which is more than CloudTrail looks up.
        since = now - min(wanted, timedelta(days=LOOKUP_DAYS))
    if arguments.unused is not None and arguments.until is not None:
        raise UsageError("--until and --unused do not go together: what is unused now is meant")
    if arguments.unused is not None and arguments.since is not None:
        raise UsageError("--since and --unused do not go together: --unused says for how long")
    if since >= until:
        raise UsageError("--since: it has to be before --until, or before now")
    return since, until


def _moment(stated: int | str, now: datetime) -> datetime:
    """Return a time that is so many seconds ago, or is written as ISO 8601."""
    if isinstance(stated, int):
        return now - timedelta(seconds=stated)
    found = datetime.fromisoformat(stated)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


def _manifest(arguments: argparse.Namespace, notify: Callable[[Notice], None], *, asks: bool) -> Manifest:
    """Return the manifests; where AWS is not asked for anything, the organization is not either."""
    if asks:
        return load_with_accounts(arguments.paths, notify)
    manifest = load(arguments.paths)
    if manifest.unresolved:
        names = ", ".join(manifest.unresolved)
        warn(escape(f"xgrant: left out: {names}: only the organization knows the accounts; --read-accounts asks it"))
    return manifest


def _print_patch(manifest: Manifest, found: Audit, before: datetime, *, every_region: bool) -> None:
    """Print the patch to stdout as it is, since git has to take it; what is in it and why goes to stderr."""
    since = f"{before:%Y-%m-%dT%H:%M:%SZ}"
    removals, unjudged = unused(found, since, covered(found, before, every_region=every_region))
    patch = unused_patch(manifest, removals)
    sys.stdout.write(patch.text)
    for removal in patch.removals:
        warn(escape(f"unused since {since[:10]}: {_what(removal)}: {removal.why}"))
    for one in (*unjudged, *patch.left):
        warn(escape(f"not judged: {_of(one)}: {one.why}"))
    if patch.removals:
        warn(escape(f"Nothing is changed. To take it over: git -C {shlex.quote(patch.folder)} apply, with this patch."))
    else:
        warn(f"Nothing is known to be unused since {since[:10]}.")


def _what(removal: Removal) -> str:
    if not removal.principals:
        return f"the grant {removal.grant}"
    return f"in {removal.grant}: {', '.join(f'{kind} {name}' for kind, name in removal.principals)}"


def _of(one: Unjudged) -> str:
    return f"{one.grant}: {one.principal}" if one.principal else one.grant
