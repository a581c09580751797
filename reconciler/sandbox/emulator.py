"""moto's own application, without what it does over and over to no effect; all that stands is in this process."""

from __future__ import annotations

import functools
from typing import Any

from moto.core import responses as _responses
from moto.iam import models as _models
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from reconciler.sandbox import sessions
from reconciler.sandbox.strict.wire import Application

# moto's names are exchanged in place: it has no switch for them.
responses: Any = _responses
models: Any = _models


class _Dispatcher(DomainDispatcherApplication):
    """Finds the service of a request; moto lists its own folder for that, twice."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = functools.lru_cache(super().get_backend_for_host)  # type: ignore[method-assign]


def emulator() -> Application:
    """Return a new application."""
    application: Application = _Dispatcher()
    return application


# moto asks at each call which methods a class has.
responses.method_names_from_class = functools.cache(responses.method_names_from_class)
# To find out whose a key is, moto looks into every partition, and makes the account in those where it is not yet. The
# sandbox has one.
models.PARTITION_NAMES = ["aws"]
sessions.install()
