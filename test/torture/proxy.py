"""A way to the server that loses the reply to a COMMIT: the client cannot know whether it landed."""

import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


@contextlib.contextmanager
def cut_at_commit(server_socket: Path, *, number: int, lands: bool) -> Iterator[Path]:
    """Yield a folder with a socket that leads to the server, and that cuts one connection at its n-th COMMIT.

    Args:
        server_socket: the server's folder of sockets.
        number: which COMMIT of all that pass, from 1.
        lands: the COMMIT reaches the server and its reply is lost; else it is lost itself.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen(16)
        pid = os.fork()
        if pid == 0:
            try:
                _serve(listener, str(server_socket / ".s.PGSQL.5432"), number, lands)
            finally:
                sys.stderr.flush()
                os._exit(1)
        try:
            yield Path(folder)
        finally:
            listener.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _serve(listener: socket.socket, target: str, number: int, lands: bool) -> None:
    pairs: dict[socket.socket, socket.socket] = {}
    clients: set[socket.socket] = set()
    commits = 0
    while True:
        ready, _, _ = select.select([listener, *pairs], [], [])
        for side in ready:
            if side is listener:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(target)
                pairs[client], pairs[server] = server, client
                clients.add(client)
                continue
            if side not in pairs:
                continue
            other = pairs[side]
            try:
                block = side.recv(1 << 16)
                if side in clients and COMMIT in block:
                    commits += 1
                    if commits == number:
                        if lands:
                            other.sendall(block)
                            other.recv(1 << 16)  # the reply, which nobody will read
                        block = b""
                if block:
                    other.sendall(block)
            except OSError:
                block = b""
            if not block:
                for one in (side, other):
                    pairs.pop(one, None)
                    clients.discard(one)
                    one.close()
