"""The key by which ``multiprocessing`` lets its own in, so that workers can use managers' proxies.

It is handed on only where the caller has managers: loading what it is for takes 12 ms.
"""

from __future__ import annotations

import sys


def own_authkey() -> bytes:
    """This process's key; empty where nobody has proxies."""
    if "multiprocessing.managers" not in sys.modules:
        return b""
    from multiprocessing import current_process  # noqa: PLC0415  (loaded already)

    return bytes(current_process().authkey)


def take_authkey(key: bytes) -> None:
    """Make the master's key this worker's."""
    if key:
        from multiprocessing import current_process  # noqa: PLC0415  (see above)

        current_process().authkey = key
