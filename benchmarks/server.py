"""The emulated AWS of the measurements, in a process of its own: `python -m benchmarks.server`, a workload on stdin.

It is moto, lax, behind a layer that counts calls and may let each take a while. It forks: the child serves what the
parent had, so every run starts from the same state, and what one does no other sees. `benchmarks/moto.py` steers it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"

from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from benchmarks.workload import (
    RECONCILER,
    Workload,
    account_id,
    caller_policy,
    permissions,
    role_arn,
    trust_policy,
)
from reconciler.sandbox.server import Recorder


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


class Emulated:
    """moto with a workload's accounts, and a way to steer it beside the calls of AWS."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._latency = 0.0
        # moto goes over its tables while another thread adds to them, and fails; and Python runs one at a time anyway.
        self._one_at_a_time = threading.Lock()
        self._recorder = Recorder(DomainDispatcherApplication(create_backend_app))
        self._server: BaseWSGIServer
        self._keys = _seed(workload)

    def serve(self, tell: int) -> None:
        """Serve until told to end, or until whoever started this process is gone; write the port to a descriptor."""
        parent = os.getppid()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Handler)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        os.write(tell, f"{self._server.server_port}\n".encode())
        self._server.serve_forever()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/bench/"):
            if self._latency:
                time.sleep(self._latency)
            with self._one_at_a_time:
                return list(self._recorder(environ, start_response))
        said = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or "null")
        body = json.dumps(getattr(self, path.removeprefix("/bench/"))(said)).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def keys(self, _: None) -> list[str]:
        """Return the access key of whoever runs the tools."""
        return self._keys

    def latency(self, seconds: float) -> None:
        """Let every call take so long, at least."""
        self._latency = seconds

    def fork(self, _: None) -> int:
        """Return the port of a new process that has the state of this one."""
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                self._server.socket.close()
                self._one_at_a_time = threading.Lock()
                self._recorder.take()
                self.serve(writing)
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as told:
            return int(told.readline())

    def used(self, _: None) -> dict[str, Any]:
        """Return the calls so far by account and operation, how many were refused, and the CPU seconds of it all."""
        calls = self._recorder.take()
        counted = Counter(f"{call.account} {call.operation}" for call in calls)
        return {"calls": counted, "failed": sum(call.status >= 400 for call in calls), "cpu": time.process_time()}

    def drift(self, _: None) -> None:
        """Change the permissions of the first grant's role by hand."""
        grant = self._workload.grants[0]
        role = _role(grant)
        name = next(iter(role.policies))
        by_hand = permissions(grant)
        by_hand["Statement"][0]["Action"] = "s3:*"
        role.policies[name] = json.dumps(by_hand)

    def missing(self, _: None) -> list[str]:
        """Return the grants that do not hold: a document of the role or the group's policy is not as it has to be."""
        wrong = []
        for grant in self._workload.grants:
            group = _backend(grant.source).groups[grant.group]
            opened = [policy for policy in map(_parsed, group.policies.values()) if policy == caller_policy(grant)]
            try:
                role = _role(grant)
            except StopIteration:
                wrong.append(grant.name)
                continue
            has = [_parsed(policy) for policy in role.policies.values()]
            if (
                not opened
                or has != [permissions(grant)]
                or _parsed(role.assume_role_policy_document) != trust_policy(grant)
            ):
                wrong.append(grant.name)
        return wrong

    def end(self, _: None) -> None:
        """End this process, once this is answered."""
        threading.Timer(0.05, os._exit, (0,)).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _backend(number: int) -> Any:
    return iam_backends[account_id(number)]["aws"]


def _role(grant: Any) -> Any:
    arn = role_arn(grant)
    return next(role for role in _backend(grant.target).roles.values() if role.arn == arn)


def _parsed(document: str) -> Any:
    """Return a policy document with lists sorted, and lists of one as that one."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: [plain(each) for each in item] if key == "Statement" else plain(item)
                    for key, item in value.items()}  # fmt: skip
        if isinstance(value, list):
            return sorted(value) if len(value) > 1 else value[0]
        return value

    data = json.loads(document)
    data["Statement"] = data["Statement"] if isinstance(data["Statement"], list) else [data["Statement"]]
    return plain(data)


def _seed(workload: Workload) -> list[str]:
    """Make what is there before any tool comes: an operator, a role to work with in each account, the groups."""
    operator = _backend(0)
    operator.create_user("us-east-1", "operator")
    key = operator.create_access_key("operator")
    trust = trust_policy(workload.grants[0]) | {"Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account_id(0)}:user/operator"},
         "Action": "sts:AssumeRole"}
    ]}  # fmt: skip
    for number in range(workload.accounts):
        _backend(number).create_role(RECONCILER, json.dumps(trust), "/", None, "", {}, "3600")
    for number, group in sorted({(grant.source, grant.group) for grant in workload.grants}):
        _backend(number).create_group(group)
    return [key.access_key_id, key.secret_access_key]


if __name__ == "__main__":
    Emulated(Workload.from_json(sys.stdin.read())).serve(sys.stdout.fileno())
