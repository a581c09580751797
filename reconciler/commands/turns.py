"""What apply, destroy, plan and drift share about locks."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager

from reconciler.commands import clock
from reconciler.commands.caller import caller
from reconciler.commands.output import warn
from reconciler.commands.progress import Progress
from reconciler.errors import StoreError
from reconciler.model import Manifest
from reconciler.pipeline.departed import departed
from reconciler.pipeline.stores import locks_held
from reconciler.pipeline.turns import Turn, one_at_a_time
from reconciler.render.escape import escape
from reconciler.wording import few


def own_turn(manifest: Manifest, arguments: argparse.Namespace, shown: Progress) -> AbstractContextManager[Turn]:
    """Return the context in which this run, and no other, writes the managed accounts.

    Entering it raises LockError or StoreError (exit 5).
    """
    return one_at_a_time(
        manifest,
        caller(arguments),
        clock,
        verb=arguments.command,
        wait=arguments.lock_timeout,
        warn=lambda text: warn(escape(text)),
        notify=shown.notice,
    )


def tell_of_locks(manifest: Manifest, shown: Progress) -> None:
    """Say on stderr which accounts a run has now, since what is read of them may soon be old, and which have left.

    Stops nothing.
    """
    try:
        found = locks_held(manifest, shown.notice)
    except StoreError as error:
        warn(escape(f"xgrant: it is not known whether a run is at work: {error}"))
        return
    tell_of_departed(manifest, shown)
    for one in found:
        warn(escape(f"xgrant: a run is at work: {one.situation()}"))


def tell_of_departed(manifest: Manifest, shown: Progress) -> None:
    """Say on stderr which accounts have left; whoever has the locks already has no need of `tell_of_locks`.

    Those that the organization has and nobody can use are told as such: to state them would change nothing.
    """
    try:
        gone = departed(manifest, shown.notice)
    except StoreError as error:
        warn(escape(f"xgrant: it is not known which accounts have left: {error}"))
        return
    inactive = {account.id: f"{account.id} ({account.name}, {account.state})" for account in manifest.inactive}
    left = [account_id for account_id in gone if account_id not in inactive]
    shut = [inactive[account_id] for account_id in gone if account_id in inactive]
    for ids, what, then in (
        (left, "no longer in the manifests", "`xgrant accounts --orphans` shows what is left there"),
        (shut, "not ACTIVE in the organization", "what is left there stays until that changes"),
    ):
        if ids:
            which = f"account {ids[0]} was" if len(ids) == 1 else f"{len(ids)} accounts ({few(ids)}) were"
            warn(escape(f"xgrant: {which} applied to and {'is' if len(ids) == 1 else 'are'} {what}; {then}"))
