"""CloudTrail's events from files: those of a trail's bucket, and exports of Event history, CloudTrail Lake and Athena.

A file is read as it goes: of one that has an event a line, one line is in memory, of another the whole file, which AWS
keeps small.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import IO, Any

from reconciler.errors import UsageError

STDIN = "-"
MOST = 256 * 1024 * 1024
"""Bytes of one line, or of a file that is one document: what is packed may unpack to anything."""

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv")
_BOM = "\ufeff".encode()
_GZIP = b"\x1f\x8b"
_COLUMN = "eventjson"


class LogFileError(Exception):
    """A file is no log of CloudTrail, or is broken; what was read of it before counts."""


def log_files(named: Sequence[str], wrong: Callable[[str, str], None]) -> Iterator[str]:
    """Yield the files that are named, and of directories all below them that may be logs, in order.

    `wrong` is told of what cannot be read, and why. `-` is standard input.

    Raises:
        UsageError: what is named is not there.

    """
    for name in named:
        if name != STDIN and not os.path.exists(name):  # noqa: PTH110 - it is a name, no path yet
            raise UsageError(f"--from-file: there is no file or directory {name}; name one, or - for standard input")
    for name in named:
        if name == STDIN or not Path(name).is_dir():
            yield name
        else:
            yield from _below(name, wrong)


def _below(top: str, wrong: Callable[[str, str], None]) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        wrong(str(error.filename), error.strerror or str(error))

    for folder, folders, names in os.walk(top, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if (
                name.startswith(".")
                or path.with_suffix("" if path.suffix == ".gz" else path.suffix).suffix not in _SUFFIXES
            ):
                continue
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                refuse(error)
                continue
            if regular:
                yield str(path)
            else:
                wrong(str(path), "it is no regular file")


def records(name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a file.

    Raises:
        LogFileError: it cannot be read to its end.

    """
    try:
        with nullcontext(sys.stdin.buffer) if name == STDIN else open(name, "rb") as file:  # noqa: PTH123 - it may be a pipe
            yield from _records(_unpacked(file))
    except UnicodeDecodeError:
        raise LogFileError("it is not UTF-8 text") from None
    except OSError as error:  # That of gzip has a text and no number.
        raise LogFileError(error.strerror or str(error)) from None
    except (EOFError, zlib.error) as error:
        raise LogFileError(f"it is packed, and broken: {error}") from None
    except csv.Error as error:
        raise LogFileError(f"it is no table: {error}") from None


def _unpacked(file: IO[bytes]) -> io.BufferedIOBase:
    buffered = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # type: ignore[type-var]
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == _GZIP else buffered


def _records(stream: io.BufferedIOBase) -> Iterator[Mapping[str, Any]]:
    lines = _lines(stream)
    first = next((line for line in lines if line.strip()), b"").removeprefix(_BOM)
    if not first:
        raise LogFileError("it is empty")
    if first.lstrip()[:1] not in (b"{", b"["):
        yield from _of_table(chain([first], lines))
        return
    try:
        value = json.loads(first)
    except ValueError:
        yield from _of_value(_parsed(first + _rest(stream, len(first))))
        return
    except RecursionError:
        raise LogFileError("it is nested too deep") from None
    yield from _of_value(value)
    for number, line in enumerate(lines, start=2):
        if line.strip():
            yield from _of_value(_parsed(line, f"line {number}: "))


def _lines(stream: io.BufferedIOBase) -> Iterator[bytes]:
    while line := stream.readline(MOST + 1):
        if len(line) > MOST:
            raise LogFileError(f"a line has more than {MOST:,} bytes; split the file")
        yield line


def _rest(stream: io.BufferedIOBase, before: int) -> bytes:
    rest = stream.read(MOST + 1 - before)
    if before + len(rest) > MOST:
        raise LogFileError(f"it is one document of more than {MOST:,} bytes; split it")
    return rest


def _parsed(text: bytes | str, where: str = "") -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LogFileError(f"{where}it is no JSON: {error}") from None
    except RecursionError:
        raise LogFileError(f"{where}it is nested too deep") from None


def _of_table(lines: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a CSV with a column eventJson, as CloudTrail Lake has one."""
    csv.field_size_limit(MOST)
    rows = csv.reader(line.decode() for line in lines)
    header = [name.strip().lower() for name in next(rows)]
    if _COLUMN not in header:
        raise LogFileError("it is neither JSON nor a table with a column eventJson; export that column")
    at = header.index(_COLUMN)
    for row in rows:
        if row:
            yield from _of_value(_parsed(row[at] if at < len(row) else "", f"line {rows.line_num}: "))


def _of_value(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the records in a value: the file of a trail, an answer of LookupEvents, a row of an export, or a record."""
    if isinstance(value, list):
        for item in value:
            yield from _of_value(item)
        return
    if not isinstance(value, dict):
        raise LogFileError("it holds something else than events of CloudTrail")
    if "eventName" in value or "eventname" in value:
        yield value
        return
    for key in ("Records", "Events"):
        if isinstance(value.get(key), list):
            yield from _of_value(value[key])
            return
    for key in ("CloudTrailEvent", "eventJson", "eventjson"):
        if key in value:
            inner = value[key]
            yield from _of_value(_parsed(inner) if isinstance(inner, str) else inner)
            return
    if "digestStartTime" not in value:  # A digest lies beside the logs, and holds no events.
        raise LogFileError("it holds no events of CloudTrail")
