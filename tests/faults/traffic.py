"""What a soak asks of a service: a steady mix of jobs that work, wait, fail, crash, come twice or are cancelled."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random

from faults.books import now_s
from faults.subject import Subject

CALLERS = 3
EACH_PER_S = 4
# How often each kind comes, in a thousand; a crash takes its whole process along, so there are few.
MIX = {
    "nap": 580,
    "async_nap": 100,
    "urgent": 100,
    "delayed": 80,
    "repeated": 60,
    "cancelled": 40,
    "retried": 19,
    "wrong": 19,
    "poison": 2,
}
DOOMED = ("retried", "wrong", "poison")


@dataclass
class Traffic:
    """The callers of a service, and what they were told."""

    subject: Subject
    seed: int
    kinds: dict[str, str] = field(default_factory=dict)
    accepted_s: dict[str, float] = field(default_factory=dict)
    # How often each status was answered, and `none` where the connection broke.
    answers: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Let the callers call for as long as the block lasts."""
        stop = threading.Event()
        callers = [threading.Thread(target=self._call, args=(number, stop)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            stop.set()
            for caller in callers:
                caller.join()

    def late(self, killed_s: float, seconds: float) -> set[str]:
        """Return the jobs that were accepted so shortly before a moment."""
        return {token for token, at_s in self.accepted_s.copy().items() if killed_s - seconds < at_s < killed_s + 0.1}

    def _call(self, number: int, stop: threading.Event) -> None:
        random = Random(f"{self.seed}-{number}")  # noqa: S311 - orders, not secrets
        while not stop.wait(random.uniform(0.5, 1.5) / EACH_PER_S):
            (kind,) = random.choices([*MIX], [*MIX.values()])
            try:
                self._order(kind, random)
            except (OSError, HTTPException):
                self.answers["none"] += 1  # whoever gets no 202 was promised nothing

    def _order(self, kind: str, random: Random) -> None:
        seconds = round(random.uniform(0.02, 0.5), 3)
        if kind in ("retried", "wrong"):
            token = self._place(kind, "fail", "connection" if kind == "retried" else "value")
        elif kind == "poison":
            token = self._place(kind, "crash", random.choice(["segfault", "exit"]))
        elif kind == "delayed":
            token = self._place(kind, "nap", seconds, path=f"?delay_s={random.uniform(1, 20):.1f}")
        elif kind == "repeated":
            key = f"key-{random.getrandbits(64)}"
            token = self._place(kind, "nap", seconds, key=key)
            self._place(kind, "nap", seconds, key=key, token=token)
        else:
            token = self._place(kind, {"urgent": "urgent_nap", "async_nap": "async_nap"}.get(kind, "nap"), seconds)
        if kind == "cancelled" and token in self.subject.accepted:
            time.sleep(random.uniform(0, 0.3))
            self.subject.call("DELETE", f"/jobs/{self.subject.accepted[token]}")

    def _place(self, kind: str, probe: str, *args: object, key: str = "", path: str = "", token: str = "") -> str:
        asked_s = now_s()
        token, answer = self.subject.place(probe, *args, key=key, path=path, token=token)
        self.kinds[token] = kind
        self.answers[str(answer.status)] += 1
        if token in self.subject.accepted:
            self.accepted_s.setdefault(token, asked_s)
        return token
