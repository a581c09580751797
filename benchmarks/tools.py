"""The tools that are measured, each with its own way of saying the same grants; here xgrant and the floor."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from benchmarks.measure import Command
from benchmarks.workload import Workload

ROOT = Path(__file__).parent.parent


class Tool(Protocol):
    """One of the tools; a folder has all that a run of it needs and leaves."""

    name: str
    most: int
    """With more grants it would take too long here."""

    rounds: int
    """How often it is run at most, since it takes long."""

    def version(self) -> str:
        """Return name and version, for the table."""

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Write what the tool reads."""

    def plan(self, folder: Path) -> Command:
        """Return the command that compares, and ends well if nothing differs."""

    def apply(self, folder: Path) -> Command:
        """Return the command that brings AWS to what was prepared."""


class Xgrant:
    """xgrant, as it is installed beside this Python."""

    name = "xgrant"
    most = 1_000_000
    rounds = 1_000_000

    def version(self) -> str:
        """Return name and version."""
        return f"xgrant {version('xgrant')}"

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Write the manifest."""
        (folder / "bench.yaml").write_text(workload.manifest(), encoding="utf-8")

    def plan(self, folder: Path) -> Command:
        """Return the command that plans."""
        return self._command(folder, "plan", "--detailed-exitcode")

    def apply(self, folder: Path) -> Command:
        """Return the command that applies."""
        return self._command(folder, "apply", "--auto-approve")

    def _command(self, folder: Path, name: str, option: str) -> Command:
        script = str(Path(sys.executable).with_name("xgrant"))
        locks = {"XGRANT_FOLDER": str(folder / ".xgrant")}
        return Command((script, name, "bench.yaml", option), folder, locks)


class Floor:
    """The script of `floor.py`."""

    name = "floor"
    most = 1_000_000
    rounds = 1_000_000

    def version(self) -> str:
        """Return the version of what it uses."""
        return f"boto3 {version('boto3')}"

    def prepare(self, folder: Path, workload: Workload) -> None:
        """Write the workload."""
        (folder / "workload.json").write_text(workload.to_json(), encoding="utf-8")

    def plan(self, folder: Path) -> Command:
        """Return the command that only reads and compares."""
        return replace(self._command(folder, "plan"), says="0 differ")

    def apply(self, folder: Path) -> Command:
        """Return the command that writes."""
        return self._command(folder, "apply")

    def _command(self, folder: Path, name: str) -> Command:
        argv = (sys.executable, "-m", "benchmarks.floor", name, str(folder / "workload.json"))
        return Command(argv, ROOT)


class AbsentError(Exception):
    """A tool is not on this machine; the message says what is missing."""
