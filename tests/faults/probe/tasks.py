"""The probes as tasks of the generated service."""

import os
from datetime import timedelta

import probe_work as work

from app.jobs import Job, task


def _note_dead(job: Job) -> None:
    work.note("dead", str(job.args[0]))


_OPTIONS = {"max_retries": 3, "on_dead_letter": _note_dead}

nap = task(name="probe.nap", **_OPTIONS)(work.nap)
carry = task(name="probe.carry", **_OPTIONS)(work.carry)
async_nap = task(name="probe.async_nap", **_OPTIONS)(work.async_nap)
cpu_nap = task(name="probe.cpu_nap", cpu=True, **_OPTIONS)(work.nap)
urgent_nap = task(name="probe.urgent_nap", queue="urgent", **_OPTIONS)(work.nap)
crash = task(name="probe.crash", max_retries=2, on_dead_letter=_note_dead)(work.crash)
crash_apart = task(name="probe.crash_apart", cpu=True, max_retries=2, on_dead_letter=_note_dead)(work.crash)
leak = task(name="probe.leak", **_OPTIONS)(work.leak)
fail = task(name="probe.fail", retry_on=(ConnectionError,), **_OPTIONS)(work.fail)
stay = task(name="probe.stay", **_OPTIONS)(work.dawdle)
async_stay = task(name="probe.async_stay", **_OPTIONS)(work.async_sleep_on)
compute = task(name="probe.compute", cpu=True, **_OPTIONS)(work.spin)

_ENDLESS = {"time_limit": timedelta(seconds=2), "max_retries": 0, "on_dead_letter": _note_dead}
spin = task(name="probe.spin", cpu=True, **_ENDLESS)(work.spin)
sleep_on = task(name="probe.sleep_on", **_ENDLESS)(work.sleep_on)
async_sleep_on = task(name="probe.async_sleep_on", **_ENDLESS)(work.async_sleep_on)
swallow = task(name="probe.swallow", **_ENDLESS)(work.swallow)
async_swallow = task(name="probe.async_swallow", **_ENDLESS)(work.async_swallow)
async_block = task(name="probe.async_block", **_ENDLESS)(work.async_block)

# The same service before and after a deployment; in between its workers stand still.
if os.environ.get("CODE") == "old":
    gone = task(name="probe.gone", **_OPTIONS)(work.nap)
    gone_with_its_lane = task(name="probe.gone_with_its_lane", queue="archive", **_OPTIONS)(work.nap)
    more = task(name="probe.more", **_OPTIONS)(work.nap)
    changed = task(name="probe.changed", **_OPTIONS)(work.nap)
if os.environ.get("CODE") == "new":
    more = task(name="probe.more", **_OPTIONS)(work.nap_longer)
    changed = task(name="probe.changed", **_OPTIONS)(work.nap_as_told)

if os.environ.get("PROBE_PERIOD_S"):

    @task(name="probe.tick", every=timedelta(seconds=float(os.environ["PROBE_PERIOD_S"])))
    def tick() -> None:
        """Note each period."""
        work.note("start", "tick")
