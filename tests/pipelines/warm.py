"""The command line in processes that have imported all of it already: a pipeline starts it two dozen times.

The server forks for each command, and the program that a shell finds as `xgrant` hands it what it was started with.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

import reconciler.commands
from tests.pages import ROOT

_PROGRAM = """\
#!{python} -IS
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({path!r})
    asked = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
    streams = array.array("i", [0, 1, 2])
    server.sendmsg([len(asked).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    server.sendall(asked)
    sys.exit(int(server.recv(8) or b"99"))
"""


@contextlib.contextmanager
def warm(folder: Path) -> Iterator[Path]:
    """Serve inside the block; yield the folder that has the program."""
    path = str(folder / "warm")
    ready, told = os.pipe()
    server = subprocess.Popen([sys.executable, "-m", __name__, path, str(told)], pass_fds=[told], cwd=ROOT)
    os.close(told)
    os.read(ready, 1)
    os.close(ready)
    program = folder / "xgrant"
    program.write_text(_PROGRAM.format(python=sys.executable, path=path))
    program.chmod(0o755)
    try:
        yield folder
    finally:
        server.terminate()
        server.wait()


def serve(path: str, told: int) -> None:
    """Answer one command after the other, each in a process of its own."""
    for file in Path(reconciler.commands.__file__).parent.glob("[a-z]*.py"):
        import_module(f"reconciler.commands.{file.stem}")
    import_module("reconciler.aws")
    import_module("reconciler.aws.store")
    import_module("jsonschema")
    _keep_models()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.write(told, b".")
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                _command(connection)
            connection.close()


def _keep_models() -> None:
    """Let every client find the models of AWS's services read already, which is what takes it longest."""
    models: dict[tuple[object, ...], Any] = {}
    read = Loader.load_service_model

    def once(self: Any, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        key = (service_name, type_name, api_version)
        if key not in models:
            models[key] = read(self, *key)
        return models[key]

    Loader.load_service_model = once  # type: ignore[method-assign]
    for service in ("iam", "sts", "s3"):
        once(Loader(), service, "service-2")


def _command(connection: socket.socket) -> None:
    size, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(12))
    streams = array.array("i")
    streams.frombytes(ancillary[0][2][:12])
    asked = b""
    while len(asked) < int.from_bytes(size, "big"):
        asked += connection.recv(1 << 20)
    words, environment, folder = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # Python's own still know of what the server has there.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    from reconciler.cli import main

    code = 99
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the process ends here, and has to say why
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(str(code).encode())
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
