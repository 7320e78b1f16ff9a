"""What the samples work on: a partner's server, a form, and images made without an image library."""

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Requests = list[tuple[dict[str, str], bytes]]


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, Requests]]:
    """Run a partner's server that answers these statuses in turn; gives its URL and the requests it got."""
    got: Requests = []
    answers = iter(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(next(answers))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the tests quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", got
    finally:
        server.shutdown()
        server.server_close()


def form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return a form with one file, and its content type."""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="x.png"\r\n\r\n'.encode()
    return head + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """Return a PNG of one colour, without an image library."""
    rows = (b"\x00" + bytes(colour) * width) * height
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def read_png(content: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Return width, height and the first pixel of an RGB PNG, without an image library."""
    width, height = struct.unpack(">II", content[16:24])
    data, at = b"", 8
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        data += content[at + 8 : at + 8 + size] if content[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    # The first pixel has nothing before it, so every filter leaves it as it is.
    return width, height, tuple(zlib.decompress(data)[1:4])
