"""An audit as a table for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.audit import Audit, Count, RoleAudit, Standing, Values
from reconciler.model import Account
from reconciler.render.callers import principal_words, who_words
from reconciler.render.escape import escape
from reconciler.wording import few

WIDTH = 100
_WHO = 32
_NOT, _MAY = " (!)", " (?)"


@dataclass(slots=True)
class _Row:
    """What is said of one caller in all roles of a grant together."""

    count: Count = field(default_factory=Count)
    mfa: dict[bool | None, int] = field(default_factory=lambda: {True: 0, False: 0, None: 0})
    targets: list[str] = field(default_factory=list)
    standing: Standing = Standing.NAMED


def audit_text(found: Audit) -> str:
    """Return a part for each grant, what should not have been, and what was looked at; ends with a line break."""
    by_grant: dict[str, list[RoleAudit]] = {}
    for role in found.roles:
        by_grant.setdefault(role.grant.name, []).append(role)
    names = {account.id: name for name, account in found.accounts.items()}
    lines: list[str] = []
    for grant, roles in by_grant.items():
        lines += [*_grant_lines(grant, roles, names), ""]
    if any(_NOT in line or _MAY in line for line in lines):
        lines.append(
            f"{_NOT.strip()} the grant does not name it.  {_MAY.strip()} It may be named; not enough is known."
        )
        if found.looked.files and not any(use.read for use in found.uses.values()):
            lines.append("    --read-accounts asks AWS who is in groups, and whose ids these are.")
        lines.append("")
    lines += _finding_lines(found, names)
    lines += _looked_lines(found)
    return "".join(f"{part}\n" for line in lines for part in _wrapped(line))


def _grant_lines(grant: str, roles: Sequence[RoleAudit], names: dict[str, str]) -> Iterator[str]:
    first = roles[0]
    where = f"{first.target.name}/role/{first.grant.role_name}" if len(roles) == 1 else f"{len(roles)} accounts"
    yield f"{grant}  ({where})"
    yield from (f"  {line}" for line in _last_used(roles))
    got, refused = _folded(roles, names)
    if got:
        rows = [("WHO", "SESSIONS", "FIRST (UTC)", "LAST (UTC)", "MFA", "FROM")]
        rows += [_got_row(who, row, len(roles)) for who, row in got.items()]
        yield from (f"  {line}" for line in _table(rows))
        yield from (f"  {line}" for line in _behind(got))
    else:
        yield "  no session was seen"
    for who, row in refused.items():
        yield from _refused_lines(who, row)
    yield from (f"  {line}" for line in _unseen(roles))


def _folded(roles: Iterable[RoleAudit], names: dict[str, str]) -> tuple[dict[str, _Row], dict[str, _Row]]:
    """Return by caller what was got and what was refused, over all roles."""
    got: dict[str, _Row] = {}
    refused: dict[str, _Row] = {}
    for role in roles:
        for usage in role.usages:
            who = who_words(usage.seen.who, names)
            for rows, count in ((got, usage.seen.got), (refused, usage.seen.refused)):
                if count.number:
                    row = rows.setdefault(who, _Row(standing=usage.named.standing))
                    _add(row.count, count)
                    row.targets.append(role.target.name)
                    if rows is got:
                        row.mfa = {had: number + usage.seen.mfa[had] for had, number in row.mfa.items()}
    return got, refused


def _add(into: Count, count: Count) -> None:
    into.number += count.number
    into.first = min(into.first or count.first, count.first)
    into.last = max(into.last, count.last)
    for values, more in (
        (into.source_ips, count.source_ips), (into.user_agents, count.user_agents), (into.sessions, count.sessions),
        (into.behind, count.behind),
    ):  # fmt: skip
        for value in more.kept:
            values.add(value)
        values.more |= more.more
    for code, number in count.errors.items():
        into.errors[code] = into.errors.get(code, 0) + number
        into.messages.setdefault(code, count.messages[code])


def _got_row(who: str, row: _Row, targets: int) -> tuple[str, str, str, str, str, str]:
    sure = {Standing.NAMED: "", Standing.MAY: _MAY, Standing.NOT: _NOT}[row.standing]
    where = f", in {len(row.targets)} of {targets} accounts" if targets > 1 else ""
    return (
        f"{who}{sure}{where}", str(row.count.number), row.count.first[:10], row.count.last[:10], _mfa_words(row.mfa),
        _some(row.count.source_ips, 1),
    )  # fmt: skip


def _behind(got: dict[str, _Row]) -> Iterator[str]:
    """Yield who is behind sessions that were got with a session, as of a permission set, and by what tools."""
    for who, row in got.items():
        if row.count.behind.kept:
            yield f"{who}: as {_some(row.count.behind, 6)}"


def _refused_lines(who: str, row: _Row) -> Iterator[str]:
    count = row.count
    codes = ", ".join(f"{code} {number}" for code, number in sorted(count.errors.items()))
    yield f"  refused {count.number}: {who}, {_minute(count.first)} to {_minute(count.last)}: {codes}"
    for message in count.messages.values():
        if message:
            yield f"    {message}"


def _last_used(roles: Sequence[RoleAudit]) -> Iterator[str]:
    known = [role.use for role in roles if role.use is not None]
    used = sorted((use.last_used, use.region) for use in known if use.last_used)
    if used:
        at = f"{_minute(used[-1][0])} in {used[-1][1]}" if used[-1][1] else _minute(used[-1][0])
        of = f"; {len(used)} of {len(roles)} roles were used" if len(roles) > 1 else ""
        yield f"credentials of the role last used {at}{of}"
    elif known:
        yield "credentials of the role not used within 400 days, or since it was made"
    if missing := [role.target.name for role in roles if role.read and role.use is None]:
        yield f"the role does not exist in {few(missing)}"
    if earlier := sum(role.of_an_earlier_role() for role in roles):
        yield f"{earlier} of the sessions were of an earlier role of that name"


def _unseen(roles: Sequence[RoleAudit]) -> Iterator[str]:
    never = [role.target.name for role in roles if not role.sessions()]
    if never and len(roles) > 1:
        yield f"no session in {few(never)}"
    everywhere = set(roles[0].unseen()).intersection(*(role.unseen() for role in roles))
    principals = [principal_words(one) for one in roles[0].grant.principals if one in everywhere]
    if principals and any(role.sessions() for role in roles):
        yield f"no session of {few(principals)}"


def _finding_lines(found: Audit, names: dict[str, str]) -> Iterator[str]:
    if not found.findings:
        return
    yield f"Findings: {len(found.findings)}"
    for finding in found.findings:
        who = who_words(finding.usage.seen.who, names)
        number = f"{finding.number} session{'s' * (finding.number != 1)}"
        yield f"  {finding.kind}: {finding.role.grant.name} in {finding.role.target.name}: {who}: {number}"
        yield f"    {finding.message}"
    yield ""


def _looked_lines(found: Audit) -> Iterator[str]:
    looked, tally = found.looked, found.tally
    yield f"Looked at {looked.since} to {looked.until}, {tally.records:,} events, of which {tally.counted:,} count."
    if looked.files:
        yield f"Files: {looked.files:,} read. What they lack is not known: regions, accounts, or calls that only read."
    for regions, accounts in _alike(looked.regions.items()):
        yield f"Regions: {len(regions)} ({few(regions)}) of {few(accounts)}"
    if others := [name for name, one in found.accounts.items() if not _looked_at(found, name, one)]:
        yield f"Not looked at: {few(sorted(others))}"
    for gap in looked.gaps:
        where = f" in {few(gap.regions)}" if gap.regions else ""
        yield f"Left out: {gap.account}{where}: {gap.error}"
    if looked.broken_number:
        yield f"Broken files: {looked.broken_number:,}"
        yield from (f"  {name}: {why}" for name, why in looked.broken)
    if tally.damaged:
        yield f"{tally.damaged:,} events lack their time or id, and do not count."
    if tally.unplaced:
        yield f"{tally.unplaced:,} refused attempts do not say which role they were for."


def _looked_at(found: Audit, name: str, account: Account) -> bool:
    gap = any(gap.account == name for gap in found.looked.gaps)
    return gap or name in found.looked.regions or (found.looked.files > 0 and account.managed)


def _alike(regions: Iterable[tuple[str, tuple[str, ...]]]) -> list[tuple[tuple[str, ...], list[str]]]:
    by_regions: dict[tuple[str, ...], list[str]] = {}
    for name, each in regions:
        by_regions.setdefault(each, []).append(name)
    return list(by_regions.items())


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield a line for each row, with one before it where its first cell is too long for a column."""
    shown = [tuple(escape(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(rows[0]))]
    widths[0] = min(_WHO, widths[0])
    for first, *others in shown:
        if len(first) > widths[0]:
            yield first
            first = ""
        cells = [cell.ljust(width) for cell, width in zip((first, *others), widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _wrapped(line: str) -> list[str]:
    """Return a line in as many as it takes, the further ones deeper."""
    shown = escape(line)
    deep = " " * (len(shown) - len(shown.lstrip()) + 4)
    return textwrap.wrap(shown, WIDTH, subsequent_indent=deep, break_on_hyphens=False) or [""]


def _minute(time: str) -> str:
    return f"{time[:10]} {time[11:16]} UTC"


def _mfa_words(mfa: dict[bool | None, int]) -> str:
    said = {True: "yes", False: "no", None: "unknown"}
    parts = [(said[had], number) for had, number in mfa.items() if number]
    return parts[0][0] if len(parts) == 1 else ", ".join(f"{word} {number}" for word, number in parts)


def _some(values: Values, most: int) -> str:
    kept = list(values.kept)
    rest = len(kept) - most
    more = f" +{rest}{'+' if values.more else ''}" if rest > 0 else ""
    return ", ".join(kept[:most]) + more if kept else "-"
