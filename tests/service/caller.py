"""Whoever calls the API of a service that runs, wherever it runs."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any, NamedTuple

FINAL = ("succeeded", "failed", "cancelled")


class Answer(NamedTuple):
    """What the API said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Calls the API on a port of this machine, and waits for what should come of it."""

    port: int

    def evidence(self) -> str:
        """Return what helps to understand why a wait was in vain."""
        return ""

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 10
    ) -> Answer:
        """Send one request; an error status is an answer too."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {"Content-Type": "application/json"} | (headers or {}),
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                return Answer(answer.status, _names_in_lower_case(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, _names_in_lower_case(error.headers), error.read())

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the API shows it."""
        shown: dict[str, Any] = self.call("GET", f"/jobs/{job_id}").json
        return shown

    def wait(self, job_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """Return the job once it is in one of the states, or is final."""
        self.until(lambda: self.job(job_id)["state"] in (states or FINAL), f"job {job_id}", seconds)
        return self.job(job_id)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until something holds; after that, fail with the ends of the logs."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"Waited {seconds} s for {what}\n{self.evidence()}")
            time.sleep(0.05)


def _names_in_lower_case(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
