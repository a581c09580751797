"""The page that leads from nothing to a merged grant: all its commands, as they stand, in one shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.aws.using import BIN
from tests.pages import ROOT, page

MARK = "--- the next block ---"
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)


def _script() -> tuple[str, list[list[str]]]:
    """Return the commands of the page, with a mark before each block, and what it says that each block prints."""
    # Whatever happens, the sandbox of the page ends with its shell.
    lines, says = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"], list[list[str]]()
    for language, text in BLOCK.findall(page("first-grant")):
        if language == "sh":
            lines += [f"echo '{MARK}'", text]
            says.append([])
        else:
            says[-1] += text.splitlines()
    return "\n".join(lines), says


def test_every_command_of_the_page_runs_and_prints_what_the_page_says(tmp_path: Path) -> None:
    script, says = _script()
    environment = {
        "HOME": str(tmp_path), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    printed = done.stdout.split(f"{MARK}\n")[1:]
    assert (done.returncode, len(printed)) == (0, len(says)), done.stdout[-3000:]
    missing = [line for text, lines in zip(printed, says, strict=True) for line in lines if line not in text]
    assert missing == []
