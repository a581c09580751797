"""The store of locks and history in files, for one machine. The one in S3 is in `reconciler.aws`."""

from reconciler.store.files import FileStore

__all__ = ["FileStore"]
