"""A way to the server that loses the reply to a COMMIT: the client cannot know whether it landed."""

import contextlib
import os
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
WAS_CUT = "was_cut"
"""File that appears beside the socket when a COMMIT was cut: a test that cuts none must not pass."""


@contextlib.contextmanager
def cut_at_commit(server_socket: Path, *, number: int, lands: bool, of: bytes = b"") -> Iterator[Path]:
    """Yield a folder with a socket that leads to the server, and that cuts one connection at its n-th COMMIT.

    Args:
        server_socket: the server's folder of sockets.
        number: which COMMIT of those that count, from 1.
        lands: the COMMIT reaches the server and its reply is lost; else it is lost itself.
        of: only the COMMITs of transactions in which this was sent count; without it, all that pass.
    """
    with tempfile.TemporaryDirectory(prefix="cut-") as folder:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/.s.PGSQL.5432")
        listener.listen(16)
        pid = os.fork()
        if pid == 0:
            try:
                _serve(listener, str(server_socket / ".s.PGSQL.5432"), Cut(number, lands, of, Path(folder) / WAS_CUT))
            finally:
                sys.stderr.flush()
                os._exit(1)
        try:
            yield Path(folder)
        finally:
            listener.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@dataclass
class Cut:
    """Finds the COMMIT to cut in what clients send."""

    number: int
    lands: bool
    of: bytes
    mark: Path
    counted: int = 0
    marked: set[socket.socket] = field(default_factory=set)

    def is_at(self, client: socket.socket, block: bytes) -> bool:
        """Take in what a client sends; tell whether it is the COMMIT to cut."""
        if self.of in block:
            self.marked.add(client)
        if COMMIT not in block or client not in self.marked:
            return False
        self.marked.discard(client)
        self.counted += 1
        return self.counted == self.number

    def make(self, server: socket.socket, block: bytes) -> None:
        """Let the COMMIT land unheard, or get lost itself."""
        if self.lands:
            server.sendall(block)
            server.recv(1 << 16)  # the reply, which nobody will read
        self.mark.touch()


def _serve(listener: socket.socket, target: str, cut: Cut) -> None:
    pairs: dict[socket.socket, socket.socket] = {}
    clients: set[socket.socket] = set()
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
                if side in clients and cut.is_at(side, block):
                    cut.make(other, block)
                    block = b""
                if block:
                    other.sendall(block)
            except OSError:
                block = b""
            if not block:
                for one in (side, other):
                    pairs.pop(one, None)
                    clients.discard(one)
                    cut.marked.discard(one)
                    one.close()
