"""What is told on stderr: in place on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import pytest

from reconciler.commands.progress import Progress
from reconciler.events import AccountRead, Called, Retried
from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    Kind,
    PrincipalKind,
    Status,
    Step,
    StepEnded,
    StepStarted,
    Verb,
    Wave,
    WaveStarted,
)
from reconciler.render.text import Painter
from tests.support import allow, document

ADDRESS = Address("dev", Kind.CALLER_POLICY, "g", (PrincipalKind.USER, "alice"))
STEP = Step(Change(ADDRESS, Action.CREATE, "g", None, CallerPolicy("g", document(allow()))), Verb.WRITE)


def shown(capsys: pytest.CaptureFixture[str], level: str = "info", *, in_place: bool = False) -> str:
    progress = Progress(level, Painter(), in_place=in_place)
    for number in range(1, 41):
        progress.notice(AccountRead(f"account-{number}", number, 40))
    progress.notice(Called("dev", "CreateRole", 0.0414, "id-1"))
    progress.notice(Called("dev", "CreateRole", 0.0414, "id-2", "Throttling"))
    progress.notice(Retried("dev\x1b", "CreateRole", "Throttling", 1, 0.52))
    progress.event(WaveStarted(Wave("canary", ("dev",)), 1, 2))
    progress.event(StepStarted(STEP, 1, 2))
    progress.event(StepEnded(STEP, 1, 2, Status.DONE))
    progress.close()
    found = capsys.readouterr()
    assert found.out == ""
    return found.err


def test_elsewhere_than_on_a_terminal_progress_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys).splitlines() == [
        *(f"{number} of 40 accounts read" for number in range(4, 41, 4)),
        "dev\\u001b: CreateRole: Throttling; try 2 in 0.5 s",
        "wave 1 of 2, canary: 1 account",
        "[1/2] dev/user/alice/caller-policy/g: created",
    ]


def test_what_cannot_be_connected_to_is_told_by_its_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("info", Painter(), in_place=False).notice(
        Retried("dev", "AssumeRole", "connection refused", 1, 0.3, "http://127.0.0.1:1")
    )
    said = "dev: AssumeRole: waiting for http://127.0.0.1:1: connection refused; try 2 in 0.3 s\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(("total", "lines"), [(10, 0), (11, 6), (13, 7), (25, 9), (1500, 10)])
def test_of_the_accounts_that_are_read_ten_lines_are_told_at_most(
    capsys: pytest.CaptureFixture[str], total: int, lines: int
) -> None:
    progress = Progress("info", Painter(), in_place=False)
    for number in range(1, total + 1):
        progress.notice(AccountRead(f"account-{number}", number, total))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert told[-1:] == [f"{total} of {total} accounts read"] * bool(lines)


def test_why_steps_are_skipped_is_told_once_of_those_that_follow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("info", Painter(), in_place=False)
    for number, why in enumerate(("too much failed", "too much failed", "interrupted"), 1):
        progress.event(StepEnded(STEP, number, 3, Status.SKIPPED, why))
    told = [line.rpartition("skipped: ")[2] for line in capsys.readouterr().err.splitlines()]
    assert told == ["too much failed", "for the same reason", "interrupted"]


def test_on_a_terminal_counts_stand_in_place_and_leave_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, in_place=True)
    kept = [line.rpartition("\r\x1b[K")[2] for line in text.split("\n")]
    assert kept == [
        "dev\\u001b: CreateRole: Throttling; try 2 in 0.5 s",
        "wave 1 of 2, canary: 1 account",
        "[1/2] dev/user/alice/caller-policy/g: created",
        "",
    ]
    assert "\r\x1b[K39 of 40 accounts read" in text
    assert "\r\x1b[K0 of 2 steps done; dev/user/alice/caller-policy/g: creating ..." in text


@pytest.mark.parametrize(("level", "lines"), [("error", 0), ("warning", 0), ("info", 13), ("debug", 15)])
def test_a_level_tells_what_it_is_for(capsys: pytest.CaptureFixture[str], level: str, lines: int) -> None:
    text = shown(capsys, level)
    assert text.count("\n") == lines
    assert ("dev: CreateRole: 0.041 s Throttling request id-2\n" in text) is (level == "debug")


def test_a_line_in_place_is_no_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = shown(capsys, in_place=True)
    assert "\r\x1b[K0 of 2 steps done; \r" in text
