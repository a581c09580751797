"""The files that come with the package: `schemas/` and `manifests/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Return the path of a file or folder such as `schemas/manifest.schema.json`.

    The wheel carries them inside the package; in a checkout they stand beside it.
    """
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
