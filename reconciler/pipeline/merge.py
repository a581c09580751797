"""The plan files of all shards to one, as if one run had planned all accounts. AWS is not asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler import planfile
from reconciler.errors import PlanFileError
from reconciler.lint import by_id
from reconciler.model import (
    CallerPolicy,
    Change,
    Essence,
    Finding,
    Live,
    Plan,
    fingerprint,
)
from reconciler.pipeline.guardrails import speaks
from reconciler.pipeline.plan_files import other_accounts, read_plan_file, with_arns, write_verified
from reconciler.planfile import PlanFile
from reconciler.planner import across, in_waves, order, settled, with_accepted
from reconciler.policy.arn import account_of
from reconciler.render.data import plan_data
from reconciler.rules.account_unreadable import waits
from reconciler.rules.limits import limits
from reconciler.wording import few

_Entry = Mapping[str, Any]


def merge_plan_files(paths: Sequence[str], out: str, *, accepted: frozenset[str] = frozenset()) -> PlanFile:
    """Join the plan files of all shards, write the plan file of all accounts, and return it.

    What a change in one account means for those in others is found out here, and the limits are held against all. Of
    findings that may be accepted, those of the rules in `accepted` only warn.

    Raises:
        PlanFileError: a file is none, or they are not all the shards of one plan, or what one of them says depends on
            an account that another could not read.
        OSError, UsageError, UnreadablePlanError: as `write_plan_file`.

    """
    files = [read_plan_file(path) for path in paths]
    _check(paths, files)
    first = files[0]
    facts = {name: known for file in files for name, known in file.plan.live.facts.items()}
    unread = {known.account.id: name for name, known in facts.items() if known.error}
    _check_adoptions(paths, files, unread)
    possible = settled((change for file in files for change in with_arns(file.plan)), unread)
    changes = across(possible.changes)
    _, waves = in_waves(order(changes), facts, first.plan.rollout)
    draft = Plan(
        first.plan.stack, {}, Live({}, facts), changes, findings=_findings(files, changes), limits=first.plan.limits,
        owned=sum(file.plan.owned for file in files), rollout=first.plan.rollout, waves=waves,
        waiting=possible.waiting,
    )  # fmt: skip
    entries = _entries(draft, files)
    digest = fingerprint(map(_essence, entries))
    findings = with_accepted((*draft.findings, *waits(draft), *limits(draft)), accepted)
    data = plan_data(replace(draft, findings=findings, fingerprint=digest), again=True)
    data["resource_changes"] = entries
    data["summary"]["wanted"] = sum(file.data["summary"]["wanted"] for file in files)
    text = planfile.sealed(
        data, paths=first.data["source"]["paths"], digest=first.digest, only=first.only, destroy=first.destroy,
        created_at=min(file.created_at for file in files), expires_at=min(file.expires_at for file in files),
    )  # fmt: skip
    write_verified(text, out)
    return read_plan_file(out)


def _check(paths: Sequence[str], files: Sequence[PlanFile]) -> None:
    """Check that these are all the shards of one plan, each once."""
    of = files[0].shard.of if files[0].shard is not None else 0
    seen: dict[int, str] = {}
    for path, file in zip(paths, files, strict=True):
        if file.shard is None:
            raise PlanFileError(f"{path}: this is no plan of a shard; merge takes what `xgrant plan --shard` wrote")
        if file.shard.of != of:
            raise PlanFileError(f"{path}: this is shard {file.shard}, and {paths[0]} is one of {of}; plan all alike")
        if other := seen.get(file.shard.number):
            raise PlanFileError(f"{path}: this is shard {file.shard}, and so is {other}; name each once")
        seen[file.shard.number] = path
        for what, ours, theirs in (
            ("another stack", file.plan.stack, files[0].plan.stack),
            ("other manifests", file.digest, files[0].digest),
            ("another --destroy", file.destroy, files[0].destroy),
            ("other limits", file.plan.limits, files[0].plan.limits),
            ("another rollout", file.plan.rollout, files[0].plan.rollout),
        ):
            if ours != theirs:
                raise PlanFileError(f"{path}: it was planned with {what} than {paths[0]}; plan all shards alike")
        if file.accounts != files[0].accounts:
            # The organization may have been listed in between.
            others = other_accounts(file.accounts, files[0].accounts, path, paths[0])
            raise PlanFileError(
                f"{path}: it was planned with other accounts than {paths[0]}: {others}; plan all shards again, from "
                "one list of the accounts"
            )
    if missing := [f"{number}/{of}" for number in range(1, of + 1) if number not in seen]:
        which = f"shard {missing[0]} is" if len(missing) == 1 else f"shards {few(missing)} are"
        raise PlanFileError(f"the {which} missing; name the plan files of all {of}")
    _check_parts(files)


def _check_parts(files: Sequence[PlanFile]) -> None:
    """Check that each account is planned by its shard; only a file that was made by hand says otherwise."""
    names = [name for file in files for name in file.plan.live.facts]
    if len(names) > len({*names}) or {*names} != {*files[0].accounts}:
        raise PlanFileError("the shards do not have each of their accounts once; plan all again")


def _check_adoptions(paths: Sequence[str], files: Sequence[PlanFile], unread: Mapping[str, str]) -> None:
    """Check that no shard takes over policies made by hand that may open an account which another could not read.

    In one run such a policy stays: only the shard has read what it says, and only the other knows of the account.
    """
    for path, file in zip(paths, files, strict=True):
        for change in file.plan.changes:
            before, after = change.before, change.after
            if not isinstance(before, CallerPolicy) or not isinstance(after, CallerPolicy):
                continue
            if not (before.name or before.beside):
                continue
            opened = {unread.get(account_of(arn)) for arn in after.document.resources()}
            if names := sorted(name for name in opened if name is not None and name not in file.plan.live.facts):
                raise PlanFileError(
                    f"{path}: {change.address} takes over policies that were made by hand, which may open "
                    f"{', '.join(names)}, and another shard could not read that; mend the access to it, then plan all "
                    "shards again, or plan without --shard"
                )


def _findings(files: Iterable[PlanFile], changes: Iterable[Change]) -> tuple[Finding, ...]:
    """Return the findings of all shards; what is about no account in particular may be said by several.

    What guardrails say of a grant whose changes wait is left out, as in a plan of one run.
    """
    found: list[Finding] = []
    guardrails, changed = by_id(), {change.grant for change in changes}
    for finding in (finding for file in files for finding in file.plan.findings):
        if finding.rule in guardrails and not speaks(finding.severity, finding.grant, changed):
            continue
        if finding.address is not None or finding not in found:
            found.append(finding)
    return tuple(sorted(found, key=lambda one: (one.rule, str(one.address), one.message)))


def _entries(plan: Plan, files: Iterable[PlanFile]) -> list[_Entry]:
    """Return the plan's changes as data, with the fingerprints of the files where these say the same.

    Secrets are hidden in the files, so a fingerprint of what holds one cannot be made again.
    """
    written = {raw["address"]: raw["change"] for file in files for raw in file.data["resource_changes"]}
    entries: list[_Entry] = []
    for entry in plan_data(plan, again=True)["resource_changes"]:
        change, known = entry["change"], written.get(entry["address"])
        kept = {
            f"{side}_fingerprint": known[f"{side}_fingerprint"]
            for side in ("before", "after")
            if known is not None and known[side] == change[side]
        }
        entries.append({**entry, "change": {**change, **kept}})
    return entries


def _essence(entry: _Entry) -> Essence:
    change = entry["change"]
    removed = change["replaces"] or entry["address"]
    return entry["address"], change["action"], removed, change["before_fingerprint"], change["after_fingerprint"]
