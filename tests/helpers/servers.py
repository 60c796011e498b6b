"""Servers in this process, for tests of downloads."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def serving() -> Iterator[Callable[[socketserver.BaseServer], None]]:
    """What starts a server in a thread; all servers end with the context."""
    with contextlib.ExitStack() as stack:

        def start(server: socketserver.BaseServer) -> None:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)

        yield start
