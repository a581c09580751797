"""The part of the AWS configuration file that is xgrant's, between two markers; all other bytes stay as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress

from reconciler.errors import XgrantError

_HEADER = re.compile(r"\[(.+)\]")


def block(stack: str, sections: Mapping[str, Mapping[str, str]]) -> str:
    """Return the part of a stack as text: its markers, and a profile for each section; empty without any."""
    if not sections:
        return ""
    lines = [_begin(stack)]
    for name, settings in sections.items():
        lines.append(f"[profile {name}]")
        lines += [f"{key} = {value}" for key, value in settings.items()]
    return "".join(f"{line}\n" for line in [*lines, _end(stack)])


def with_block(content: bytes, stack: str, sections: Mapping[str, Mapping[str, str]]) -> bytes:
    """Return the content of a file with the part of a stack in its place, or at the end where it has none yet.

    The line ends are those of the file's first line. A file whose last line has no end gets one, and keeps it.

    Raises:
        XgrantError: the markers do not stand as xgrant writes them, what follows them belongs to its last profile, or a
            profile of the same name stands elsewhere in the file, which AWS's tools would refuse.

    """
    before, after = _around(content, stack)
    _check_names(before, after, sections)
    first = (before + after).splitlines(keepends=True)[:1]
    end = b"\r\n" if first and first[0].endswith(b"\r\n") else b"\n"
    new = block(stack, sections).encode().replace(b"\n", end)
    gap = end if new and before and not before.endswith((b"\n", b"\r")) else b""
    return before + gap + new + after


def sections_within(content: bytes, stack: str) -> dict[str, dict[str, str]]:
    """Return the profiles that the part of a stack has, each with its settings; XgrantError as of `with_block`."""
    before, after = _around(content, stack)
    found: dict[str, dict[str, str]] = {}
    settings: dict[str, str] = {}
    for line in content[len(before) : len(content) - len(after)].splitlines():
        for name in _profiles(line):
            settings = found.setdefault(name, {})
        key, equals, value = line.decode(errors="replace").partition(" = ")
        if equals:
            settings[key] = value
    return found


def _begin(stack: str) -> str:
    return f"# >>> xgrant {stack}: `xgrant config --write` replaces what stands here >>>"


def _end(stack: str) -> str:
    return f"# <<< xgrant {stack} <<<"


def _around(content: bytes, stack: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the part of a stack; all of it before where there is none."""
    lines = content.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.strip() == _begin(stack).encode()]
    ends = [number for number, line in enumerate(lines) if line.strip() == _end(stack).encode()]
    if not begins and not ends:
        return content, b""
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        where = ", ".join(str(number + 1) for number in sorted([*begins, *ends]))
        raise XgrantError(
            f"the markers of xgrant for the stack {stack} stand alone, twice or the wrong way round (line {where}); "
            "take them out, with what is xgrant's between them, and run the same command again"
        )
    after = lines[ends[0] + 1 :]
    for number, line in enumerate(after, ends[0] + 2):
        if line.startswith(b"["):  # With space before it, it goes on with the value before it (configparser).
            break
        if line.strip() and not line.strip().startswith((b"#", b";")):
            raise XgrantError(
                f"line {number} follows the part of xgrant and belongs to its last profile; move it to a profile of "
                "yours, or take it out"
            )
    return b"".join(lines[: begins[0]]), b"".join(after)


def _check_names(before: bytes, after: bytes, sections: Mapping[str, Mapping[str, str]]) -> None:
    for name in (*_profiles(before), *_profiles(after)):
        if name in sections:
            raise XgrantError(
                f"the file has a profile {name} already, outside the part of this stack, and AWS's tools take "
                "none twice; give that one another name, or those of the stack a --prefix"
            )


def _profiles(content: bytes) -> Iterator[str]:
    """Yield the names of all profiles.

    botocore reads a header as words of a shell; that others of AWS's tools read it more freely does no harm here.
    """
    for line in content.splitlines():
        header = _HEADER.match(line.strip().decode(errors="replace"))
        with suppress(ValueError):  # Of quotes that do not close nobody makes a profile.
            match shlex.split(header.group(1)) if header else ():
                case ["default"]:
                    yield "default"
                case [kind, name] if kind.startswith("profile"):
                    yield name
