"""A terminal that types what a page says."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.brokers import free_port, listens

_PATIENCE_S = 150
_END = "--- end of block"
# Inside `make test`, another make must not believe that it is a part of it; nor is the reader's machine a CI.
_NOT_THE_READERS = ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CI")


class Terminal:
    """One bash that keeps its directory and its variables from block to block.

    What listens on port 8000 in the text listens on a free port here.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self.port = free_port()
        self._log = folder.parent / "background.log"
        self._background: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_THE_READERS}
        own = {"UVICORN_PORT": str(self.port), "HEARTBEAT_DIR": str(folder.parent / "heartbeat"), "NO_COLOR": "1"}
        for role in ("AUTHOR", "COMMITTER"):  # whoever follows a page has told git who they are
            own |= {f"GIT_{role}_NAME": "A Reader", f"GIT_{role}_EMAIL": "reader@example.com"}
        self._env = kept | own | {"PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin"}
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=self._env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # This very run is `make test`; the rest of what make is told it does.
        self._type("make() { [ $1 = test ] && set -- --dry-run test; command make --no-print-directory $@; }")
        self._type("trap 'failed=$BASH_COMMAND' ERR")

    def run(self, text: str) -> str:
        """Type a block and give what it prints; a command that fails fails the test."""
        self._type(f"failed=\n{{\n{self.here(text)}\n}} </dev/null\necho\necho '{_END}' $failed")
        watchdog = threading.Timer(_PATIENCE_S, os.killpg, (self._bash.pid, signal.SIGKILL))
        watchdog.start()
        printed = ""
        while _END not in printed:
            line = self._read()
            assert line, f"no end within {_PATIENCE_S} s:\n{text}\n{printed}"
            printed += line
        watchdog.cancel()
        output, failed = printed.split(_END)
        assert not failed.strip(), f"{failed.strip()} failed:\n{output}"
        return output

    def leave_running(self, text: str) -> None:
        """Type what runs until Ctrl-C into a terminal of its own, and return once it listens."""
        self.interrupt()
        folder = self.run("pwd").strip()
        with self._log.open("wb") as log:
            command = ["bash", "-c", f"exec {self.here(text)}"]
            self._background = subprocess.Popen(
                command, cwd=folder, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(300):
            if listens(self.port):
                return
            assert self._background.poll() is None, self._log.read_text()
            threading.Event().wait(0.1)
        raise AssertionError(self._log.read_text())

    def interrupt(self) -> None:
        """Press Ctrl-C where something runs, and wait until it has ended."""
        if self._background is not None:
            os.killpg(self._background.pid, signal.SIGINT)
            self._background.wait(30)
            self._background = None

    def close(self) -> None:
        """Close the terminal, and whatever runs in it."""
        self.interrupt()
        if self._bash.poll() is None:
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()

    def here(self, text: str) -> str:
        """Give a text with the port of this terminal."""
        return text.replace(":8000", f":{self.port}")

    def _type(self, text: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{text}\n")
        self._bash.stdin.flush()

    def _read(self) -> str:
        assert self._bash.stdout is not None
        return self._bash.stdout.readline()


@contextmanager
def terminal(folder: Path, programs: Path) -> Iterator[Terminal]:
    """Open a terminal in a directory, with these programs found first, and close it at the end."""
    opened = Terminal(folder, programs)
    try:
        yield opened
    finally:
        opened.close()


def matches(expected: str, printed: str) -> bool:
    """Whether an output is the expected one, where `...` stands for anything."""
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
