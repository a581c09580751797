"""One run at a time in an account: locks with a lease, renewed while the run lives.

A lock is an entry of a store, one for each account and stack, that is only ever replaced on the condition that it is
still what was read. Its lease is over once the entry is older than the lease says, by the store's own clock.
"""

from reconciler.locking.held import TRUSTED, Held, acquire
from reconciler.locking.locks import LEASE, holders, key_of, read_lock, unlock

__all__ = ["LEASE", "TRUSTED", "Held", "acquire", "holders", "key_of", "read_lock", "unlock"]
