"""Steers the emulated AWS of `server.py`, from another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.workload import Workload


@dataclass(frozen=True, slots=True)
class Used:
    """What a run asked of the server: calls by account and operation, refused ones, and the server's CPU seconds."""

    calls: Mapping[str, int]
    failed: int
    cpu: float

    @property
    def total(self) -> int:
        """Return the number of all calls."""
        return sum(self.calls.values())


class Moto:
    """A server process; what it has can be had again and again, by forks."""

    def __init__(self, port: int, process: subprocess.Popen[str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._process = process

    @classmethod
    def start(cls, workload: Workload, module: str = "benchmarks.server") -> Moto:
        """Return a server with the workload's accounts and groups; `module` is one that serves."""
        process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(workload.to_json())
        process.stdin.close()
        with process.stdout:
            return cls(int(process.stdout.readline()), process)

    def fork(self) -> Moto:
        """Return a server that has the same state, and nothing in common with this one from then on."""
        return Moto(self._ask("fork"))

    def environment(self) -> dict[str, str]:
        """Return what leads a tool here, as the operator."""
        key, secret = self._ask("keys")
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }

    def slow(self, seconds: float) -> None:
        """Let every call take so long, at least."""
        self._ask("latency", seconds)

    def drift(self) -> None:
        """Change one role by hand."""
        self._ask("drift")

    def used(self) -> Used:
        """Return what was asked since the server was there, or since the last time."""
        return Used(**self._ask("used"))

    def missing(self) -> list[str]:
        """Return the grants that do not hold."""
        found: list[str] = self._ask("missing")
        return found

    def end(self) -> None:
        """End the server; its forks end by themselves."""
        self._ask("end")
        if self._process is not None:
            self._process.wait()

    def _ask(self, what: str, said: Any = None) -> Any:
        request = Request(f"{self.url}/bench/{what}", data=json.dumps(said).encode(), method="POST")  # noqa: S310 - loopback
        with urlopen(request, timeout=120) as response:  # noqa: S310 - likewise
            return json.load(response)
