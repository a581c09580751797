"""An emulated AWS of thousands of accounts that only answers reads: `python -m benchmarks.canned`, a workload on stdin.

moto would need minutes to be filled with so many accounts, and more time to answer than the way to AWS takes. So three
accounts are filled in moto, by xgrant itself; what moto then says of the middle one is said of every account, with the
ids, and the names of grants, of that account and of its neighbours. `benchmarks/moto.py` steers it like moto.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from urllib.request import Request, urlopen

from benchmarks.measure import measure
from benchmarks.moto import Moto
from benchmarks.tools import Xgrant
from benchmarks.workload import RECONCILER, Workload, account_id, ring

_READS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("sts", "GetCallerIdentity", {}),
    ("iam", "ListRoles", {"MaxItems": "1000"}),
    ("iam", "GetAccountSummary", {}),
    (
        "iam", "GetAccountAuthorizationDetails",
        {"MaxItems": "1000", "Filter.member.1": "User", "Filter.member.2": "Group", "Filter.member.3": "Role",
         "Filter.member.4": "LocalManagedPolicy"},
    ),
)  # fmt: skip
_KEY = "<AccessKeyId>([^<]+)</AccessKeyId>"
_HEAD = "HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n"


class Canned:
    """Answers that moto gave, for whichever account is asked."""

    def __init__(self, workload: Workload) -> None:
        self._accounts = workload.accounts
        self._answers = record()
        self._latency = 0.0
        self._calls = Counter[str]()
        self._ended = asyncio.Event()

    async def serve(self) -> None:
        """Serve until told to end; print the port."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=4096)
        print(server.sockets[0].getsockname()[1], flush=True)
        await self._ended.wait()
        await asyncio.sleep(0.05)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"(?i)^content-length: *(\d+)", head, re.MULTILINE)
                body = (await reader.readexactly(int(length.group(1)) if length else 0)).decode()
                path = head.split(" ", 2)[1]
                if path.startswith("/bench/"):
                    said = getattr(self, path.removeprefix("/bench/"))(json.loads(body or "null"))
                    kind, answer = "application/json", json.dumps(said)
                else:
                    await asyncio.sleep(self._latency)
                    kind, answer = "text/xml", self._answer(head, body)
                sent = answer.encode()
                writer.write(_HEAD.format(formatdate(usegmt=True), kind, len(sent)).encode() + sent)
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    def _answer(self, head: str, body: str) -> str:
        asked = {name: values[0] for name, values in parse_qs(body).items()}
        operation = asked["Action"]
        named = asked["RoleArn"].split(":")[4] if operation == "AssumeRole" else None
        key = re.search(r"Credential=ASIA(\d+)/", head)
        number = int(named) - int(account_id(0)) if named else int(key.group(1)) if key else 0
        self._calls[f"{account_id(number)} {operation}"] += 1
        return respelt(self._answers[operation], number, self._accounts)

    def keys(self, _: None) -> list[str]:
        """Return the access key of whoever runs the tools."""
        return ["operator", "operator"]

    def latency(self, seconds: float) -> None:
        """Let every call take so long, at least."""
        self._latency = seconds

    def used(self, _: None) -> dict[str, Any]:
        """Return the calls since the last time, and the CPU seconds of it all."""
        calls, self._calls = self._calls, Counter()
        return {"calls": calls, "failed": 0, "cpu": time.process_time()}

    def end(self, _: None) -> None:
        """End this process, once this is answered."""
        self._ended.set()


def record() -> dict[str, str]:
    """Return what moto says of the middle one of three accounts that xgrant has filled, by operation."""
    workload = ring(3)
    moto = Moto.start(workload)
    with tempfile.TemporaryDirectory() as name:
        tool, folder = Xgrant(), Path(name)
        tool.prepare(folder, workload)
        command = tool.apply(folder)
        done = measure(replace(command, environment={**command.environment, **moto.environment()}))
    if done.code or moto.missing():
        raise RuntimeError(done.output)
    key = moto.environment()["AWS_ACCESS_KEY_ID"]
    role = f"arn:aws:iam::{account_id(1)}:role/{RECONCILER}"
    answers = {"AssumeRole": _ask(moto, "sts", key, "AssumeRole", {"RoleArn": role, "RoleSessionName": "xgrant-bench"})}
    found = re.search(_KEY, answers["AssumeRole"])
    assert found is not None
    for service, operation, arguments in _READS:
        answers[operation] = _ask(moto, service, found.group(1), operation, arguments)
    moto.end()
    return answers


def respelt(answer: str, number: int, accounts: int) -> str:
    """Return what was said of the middle one of three accounts, said of another one among so many."""
    now = [(number - 1) % accounts, number, (number + 1) % accounts]
    words = {account_id(old): account_id(new) for old, new in enumerate(now)}
    words |= {f"grant-{old:05}-": f"grant-{new:05}-" for old, new in enumerate(now)}
    said = re.sub("|".join(words), lambda match: words[match.group()], answer)
    return re.sub(_KEY, f"<AccessKeyId>ASIA{number:016}</AccessKeyId>", said)


def _ask(moto: Moto, service: str, key: str, operation: str, arguments: Mapping[str, str]) -> str:
    version = {"iam": "2010-05-08", "sts": "2011-06-15"}[service]
    scope = (
        f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
    body = urlencode({"Action": operation, "Version": version, **arguments}).encode()
    request = Request(moto.url, data=body, headers={"Authorization": scope})  # noqa: S310 - loopback
    with urlopen(request, timeout=60) as response:  # noqa: S310 - likewise
        text: str = response.read().decode()
    return text


if __name__ == "__main__":
    asyncio.run(Canned(Workload.from_json(sys.stdin.read())).serve())
