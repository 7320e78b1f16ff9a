from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

from app.jobs.threads import Once


def test_threads_that_ask_at_the_same_moment_get_the_same() -> None:
    together = Barrier(8)

    @Once
    def connect() -> object:
        sleep(0.05)
        return object()

    def ask(_: int) -> object:
        together.wait()
        return connect()

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1
