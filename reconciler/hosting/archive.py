"""The one file of a downloaded archive, whoever has packed it."""

from __future__ import annotations

import io
import zipfile
import zlib

from reconciler.errors import ReviewError


def only_file(content: bytes, most: int, what: str) -> bytes:
    """Return the only file of a zip archive; nothing is written to disk, so its name does not matter.

    Raises:
        ReviewError: it is none, has several files, or one of more than `most` bytes. `what` is how messages call it.

    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(names) != 1:
                raise ReviewError(f"{what} has {len(names)} files and not one; make it anew by running that job again")
            with archive.open(names[0]) as file:
                # What the archive says of its size is not believed.
                found = file.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ReviewError(f"{what} is no archive that can be read: {error}; run that job again") from None
    if len(found) > most:
        raise ReviewError(f"{what} has a file of more than {most} bytes, which no plan file has")
    return found
