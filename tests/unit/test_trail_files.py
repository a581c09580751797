"""Events from files: what a trail writes, what exports look like, and what is broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.pipeline import trail_files
from reconciler.pipeline.trail_files import LogFileError, log_files, records
from tests.trail import Record, assumed, refused, user

EVENTS = [*assumed(user()), refused(user("bob"))]


def table(column: str = "eventJson", events: list[Record] = EVENTS) -> str:
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(["eventTime", column])
    rows.writerows([event["eventTime"], json.dumps(event)] for event in events)
    return text.getvalue()


def lines(values: list[Any]) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


SHAPES = {
    "a trail's file": json.dumps({"Records": EVENTS}),
    "indented": json.dumps({"Records": EVENTS}, indent=2),
    "with a byte order mark": "\ufeff" + json.dumps({"Records": EVENTS}),
    "a list": json.dumps(EVENTS),
    "an event a line": lines(EVENTS),
    "a trail's file a line": lines([{"Records": EVENTS[:1]}, {"Records": EVENTS[1:]}]),
    "blank lines": "\n\n" + lines(EVENTS).replace("\n", "\n\n"),
    "answer of LookupEvents": json.dumps({"Events": [{"CloudTrailEvent": json.dumps(e)} for e in EVENTS]}, indent=4),
    "rows with eventJson": lines([{"eventTime": "x", "eventJson": json.dumps(e)} for e in EVENTS]),
    "rows with eventjson as it is": lines([{"eventjson": e} for e in EVENTS]),
    "table": table(),
    "table of Athena": table("eventjson").replace("\r\n", "\n"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_holds_the_same_events(tmp_path: Path, shape: str, packed: bool) -> None:
    content = SHAPES[shape].encode()
    file = tmp_path / "x"
    file.write_bytes(gzip.compress(content) if packed else content)
    assert list(records(str(file))) == EVENTS


PACKED = gzip.compress(json.dumps({"Records": EVENTS}).encode(), mtime=0)


@pytest.mark.parametrize(
    ("content", "says", "before"),
    [
        (b"", "it is empty", 0),
        (b" \n \n", "it is empty", 0),
        (b"{", "it is no JSON", 0),
        (b'{"a": 1}', "it holds no events of CloudTrail", 0),
        (b"7", "neither JSON nor a table", 0),
        (b"[7]", "something else than events", 0),
        (b"Event name,User name\nAssumeRole,alice\n", "without a column|a column eventJson", 0),
        ((lines(EVENTS[:1]) + "{oops\n").encode(), "line 2: it is no JSON", 1),
        ((table(events=EVENTS[:1]) + '"x","{"\n').encode(), "line 3: it is no JSON", 1),
        (b"\xff\xfe\x00", "it is not UTF-8 text", 0),
        (b'{"Records": [{"eventName": "\xff"}]}', "it is not UTF-8|it is no JSON", 0),
        (PACKED[:-20], "packed, and broken|CRC|ended", 0),
        (b"\x1f\x8bnonsense", "Unknown compression method", 0),
        (b"[" * 100_000, "nested too deep", 0),
        (b'{"Records": ' + b"[" * 100_000 + b"\n", "nested too deep", 0),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, bytes) else None,
)
def test_what_is_broken_is_said_with_why_and_what_stands_before_counts(
    tmp_path: Path, content: bytes, says: str, before: int
) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    reading = records(str(file))
    assert [next(reading) for _ in range(before)] == EVENTS[:before]
    with pytest.raises(LogFileError, match=says):
        next(reading)


@pytest.mark.parametrize("content", [b"x" * 2000, b"{\n" + b" " * 2000 + b"}"], ids=["one line", "one document"])
def test_what_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(trail_files, "MOST", 1000)
    file = tmp_path / "x"
    file.write_bytes(gzip.compress(content))
    with pytest.raises(LogFileError, match="more than 1,000 bytes"):
        list(records(str(file)))


def test_a_digest_beside_the_logs_holds_nothing_and_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"awsAccountId": "1", "digestStartTime": "2026-01-01T00:00:00Z", "logFiles": []}))
    assert list(records(str(file))) == []


@pytest.fixture
def wrong() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def tell(wrong: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda name, why: wrong.append((Path(name).name, why))


def test_a_directory_means_all_logs_below_it_in_order(
    tmp_path: Path, wrong: list[tuple[str, str]], tell: Callable[[str, str], None]
) -> None:
    for name in ("b/2.json.gz", "b/1.json", "a/x.csv", "a/y.jsonl.gz", "a/notes.txt", "a/.hidden.json", "z.ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [Path(name).name for name in log_files([str(tmp_path)], tell)]
    assert found == ["z.ndjson", "x.csv", "y.jsonl.gz", "1.json", "2.json.gz"]
    assert wrong == []


def test_in_a_directory_a_pipe_and_a_link_that_leads_nowhere_are_named(
    tmp_path: Path, wrong: list[tuple[str, str]], tell: Callable[[str, str], None]
) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "nowhere.json").symlink_to(tmp_path / "missing")
    assert list(log_files([str(tmp_path)], tell)) == []
    assert wrong == [("nowhere.json", "No such file or directory"), ("pipe.json", "it is no regular file")]


def test_what_is_named_and_not_there_is_wrong_usage_before_anything_is_read(
    tmp_path: Path, tell: Callable[[str, str], None]
) -> None:
    with pytest.raises(UsageError, match="no file or directory"):
        list(log_files([str(tmp_path), str(tmp_path / "missing")], tell))
