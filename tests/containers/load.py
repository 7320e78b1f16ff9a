"""Callers that order jobs steadily while something is broken, and what they were answered."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

from containers.stack import Stack
from service.caller import Caller

CALLERS = 2
EACH_PER_S = 5
JOB_S = 0.3


@dataclass
class Load(Caller):
    """The callers of a composition, through one of its ports."""

    stack: Stack
    port: int
    accepted: list[str] = field(default_factory=list)
    # How often each status came; what broke instead stands there in words.
    answers: Counter[int | str] = field(default_factory=Counter)

    def evidence(self) -> str:
        return f"{self.answers}\n{self.stack.evidence()}"

    def more(self, jobs: int) -> None:
        """Return once so many more jobs have been accepted."""
        enough = len(self.accepted) + jobs
        self.until(lambda: len(self.accepted) >= enough, f"{jobs} more accepted jobs")

    def order(self, stop: threading.Event) -> None:
        """Order a job and look at it, again and again."""
        while not stop.wait(1 / EACH_PER_S):
            try:
                answer = self.call("POST", "/probe/hold", [JOB_S])
                self._note(answer.status, polite="retry-after" in answer.headers)
                if answer.status == 202:
                    self.accepted.append(answer.json["id"])
                    answer = self.call("GET", answer.headers["location"])
                    self._note(answer.status, polite="retry-after" in answer.headers)
            except (OSError, HTTPException) as error:
                self.answers[repr(error)] += 1

    def _note(self, status: int, *, polite: bool) -> None:
        self.answers["503 without Retry-After" if status == 503 and not polite else status] += 1


@contextmanager
def steady_load(stack: Stack, port: str = "API_PORT") -> Iterator[Load]:
    """Let callers order jobs for as long as the block lasts."""
    load, stop = Load(stack, int(stack.settings[port])), threading.Event()
    callers = [threading.Thread(target=load.order, args=(stop,)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield load
    finally:
        stop.set()
        for caller in callers:
            caller.join()
