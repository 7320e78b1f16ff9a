"""What a service asks of its job store, as the store sees it: commands to Redis, transactions on SQLite."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path

from service.project import Project
from service.redis import RedisEye

# Python imports a module of this name by itself, so every process of the service has it.
_TRACER = """
import os
import sqlite3

_connect = sqlite3.connect


def _traced(path, *args, **kwargs):
    connection = _connect(path, *args, **kwargs)
    trace = os.open(f"{os.environ['TRACES']}/{os.getpid()}-{id(connection)}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(statement):
        os.write(trace, statement.replace("\\n", " ").encode() + b"\\n")

    if str(path).endswith("jobs.db"):
        connection.set_trace_callback(note)
    return connection


sqlite3.connect = _traced
"""


def trace_sqlite(folder: Path) -> dict[str, str]:
    """Return the settings under which a service notes each statement on its job store below a folder."""
    traces = folder / "traces"
    traces.mkdir()
    (traces / "sitecustomize.py").write_text(_TRACER)
    return {"TRACES": str(traces), "PYTHONPATH": str(traces)}


def statements(folder: Path) -> list[str]:
    """Return what was asked of the job store, in lower case with its values: each transaction as one, and each read."""
    found: list[str] = []
    for trace in (folder / "traces").glob("[0-9]*"):
        first, *parts = re.split(r"^begin immediate\n", trace.read_text().lower(), flags=re.MULTILINE)
        found += first.splitlines()
        for part in parts:
            inside, *outside = re.split(r"^(?:commit|rollback)\n", part, maxsplit=1, flags=re.MULTILINE)
            # What did not end could not begin, because the file was locked; unless it is under way.
            begun = outside or part is parts[-1]
            found += [inside] if begun else inside.splitlines()
            found += [line for text in outside for line in text.splitlines()]
    return found


@contextmanager
def scripts(port: int, project: Project) -> Iterator[list[str]]:
    """Give a list that fills, while the block lasts, with all that Redis is asked: a script's name, then the words."""
    eye, seen = RedisEye(port), []
    names = _names(project.root / "app/jobs/lua")

    commands = eye.commands()

    def listen() -> None:
        for line in commands:
            words = line.split('"')[1::2]
            seen.append(" ".join([names.get(words[1], words[0]) if words[1:] else words[0], *words[1:]]))

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield seen
    finally:
        eye.close()
        listener.join()


def _names(lua: Path) -> dict[str, str]:
    """Return the name of each script by what Redis calls it."""
    prelude = "".join(path.read_text() for path in sorted(lua.glob("prelude*.lua")))
    texts = {path.stem: prelude + path.read_text() for path in lua.glob("*.lua")}
    return {sha1(text.encode(), usedforsecurity=False).hexdigest(): name for name, text in texts.items()}
