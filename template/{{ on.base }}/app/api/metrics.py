"""Metrics for Prometheus, of the whole service: what the job store counts, whichever process did it."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.api.health import reachable
from app.jobs import JobState, Unavailable, job_stats

router = APIRouter(tags=["metrics"])


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Return every metric in the text format of Prometheus."""
    registry = CollectorRegistry()
    up = await reachable()
    try:
        stats = await job_stats()
    except Unavailable:
        stats = None  # `dependency_up` says so
    registry.register(_Snapshot(stats, up, request.app.state.loop_lag.seconds))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Snapshot(Collector):
    def __init__(self, stats: dict[str, int] | None, up: dict[str, bool], loop_lag_s: float) -> None:
        self._stats = stats
        self._up = up
        self._loop_lag_s = loop_lag_s

    def collect(self) -> Iterator[Metric]:
        """Give every metric family that there is something to say of."""
        up = GaugeMetricFamily("dependency_up", "Whether something that jobs need answers", labels=["name"])
        for name, ok in self._up.items():
            up.add_metric([name], ok)
        yield up
        yield GaugeMetricFamily("event_loop_lag_seconds", "How late the event loop wakes up", value=self._loop_lag_s)
        if self._stats is not None:
            yield from _of_jobs(self._stats)


def _of_jobs(stats: dict[str, int]) -> Iterator[Metric]:
    current = GaugeMetricFamily("jobs", "Jobs on record, by state", labels=["state"])
    for state in (*JobState, "delayed"):
        current.add_metric([state], stats.get(f"state:{state}", 0))
    yield current
    yield GaugeMetricFamily(
        "jobs_overdue", "Jobs that no worker looked after within a minute of their time", value=stats.get("overdue", 0)
    )
    finished = CounterMetricFamily("jobs_finished", "Jobs that became final", labels=["task", "state"])
    seconds = CounterMetricFamily("job_run_seconds", "Time that jobs ran in their last try", labels=["task"])
    dropped = CounterMetricFamily("messages_dropped", "Messages with nothing to run", labels=["why"])
    for name, value in sorted(stats.items()):
        kind, _, rest = name.partition(":")
        if kind == "jobs":
            finished.add_metric(rest.rsplit(":", 1), value)
        elif kind == "ms":
            seconds.add_metric([rest], value / 1000)
        elif kind == "dropped":
            dropped.add_metric([rest], value)
    yield finished
    yield seconds
    yield dropped
