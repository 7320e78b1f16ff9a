"""Load: users who order reports and watch their jobs until these are final.

`poe load` runs it against the API on this machine. A job counts as one request of the
type JOB, from the order to the final state; a dead letter counts as a failure.
"""

from time import monotonic, sleep
from typing import Any

from locust import HttpUser, between, task

_FINAL = {"succeeded", "failed", "cancelled"}
_LOOK_EVERY_S = 0.2
_PATIENCE_S = 120.0


class ReportUser(HttpUser):
    """Somebody who wants a report and waits for it."""

    wait_time = between(0.1, 0.5)

    @task
    def order_report(self) -> None:
        """Order a small report; 503 means that the service holds back, so wait as it asks."""
        with self.client.post("/reports", json={"month": "2026-10-01", "rows": 500}, catch_response=True) as answer:
            if answer.status_code == 503:
                answer.success()
                sleep(float(answer.headers["Retry-After"]))
                return
            answer.raise_for_status()
            job = answer.json()
        self.watch(job)

    def watch(self, job: dict[str, Any]) -> None:
        """Look at the job until it is final, and report how long that took."""
        started = monotonic()
        while job["state"] not in _FINAL and monotonic() - started < _PATIENCE_S:
            sleep(_LOOK_EVERY_S)
            answer = self.client.get(f"/jobs/{job['id']}", name="/jobs/{id}")
            job = answer.json() if answer.ok else job
        self.environment.events.request.fire(
            request_type="JOB",
            name=job["task"],
            response_time=(monotonic() - started) * 1000,
            response_length=0,
            exception=None if job["state"] == "succeeded" else RuntimeError(f"the job is {job['state']}"),
            context={},
        )
