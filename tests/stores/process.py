"""A process of a generated project that holds its job store open, as an API or a worker does."""

import json
import subprocess
from pathlib import Path
from typing import Any

from service.project import Project, clean_env

PROBE = Path(__file__).parent / "probe/store_calls.py"


class StoreProcess:
    """One child process; every call is one JSON line there and one back."""

    def __init__(self, project: Project, kind: str) -> None:
        self._child = subprocess.Popen(
            [project.python, str(PROBE), kind],
            cwd=project.root,
            env=clean_env() | {"PYTHONPATH": str(project.root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def call(self, name: str, *args: Any, **named: Any) -> Any:
        """Call a method of the store; jobs are dictionaries, `{"refused": ...}` stands for `Unavailable`."""
        self.ask(name, *args, named)
        return self.answer()

    def probe(self, name: str, *args: Any) -> Any:
        """Call the probe itself: `open`, `set_clock`, `reopen`, `books`."""
        self.ask(name, *args)
        return self.answer()

    def ask(self, name: str, *args: Any) -> None:
        """Begin a call, so that several processes can make theirs at once."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps([name, args]).encode() + b"\n")
        self._child.stdin.flush()

    def answer(self) -> Any:
        """Return what the call that was begun gave."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, "the process ended: see its traceback"
        return json.loads(line)

    def end(self) -> None:
        """End the process."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(30)
