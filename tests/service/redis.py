"""A look into a Redis from outside, without its client library."""

import socket
from collections.abc import Iterator
from typing import Any, BinaryIO


class RedisEye:
    """One connection on which a test asks Redis what the service left there."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._replies: BinaryIO = self._socket.makefile("rb")

    def ask(self, *words: str | int) -> Any:
        """Send one command; gives text, an int, a list of such, or None.

        Raises:
            AssertionError: Redis answered with an error.
        """
        parts = [str(word).encode() for word in words]
        framed = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n" % len(parts) + framed)
        return self._reply()

    def commands(self) -> Iterator[str]:
        """Give each command as Redis gets it from this call on, one line each, those inside scripts left out."""
        assert self.ask("MONITOR") == "OK"
        return (line for line in iter(self._reply, "") if " lua] " not in line)

    def info(self, section: str) -> dict[str, str]:
        """Return a section of what Redis knows of itself."""
        return dict(line.split(":", 1) for line in self.ask("INFO", section).splitlines() if ":" in line)

    def close(self) -> None:
        """End the connection, and with it `commands`."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def _reply(self) -> Any:
        line = self._replies.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise AssertionError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self._replies.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest.decode(errors="replace")
