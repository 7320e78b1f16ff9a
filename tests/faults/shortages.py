"""Room runs out: Redis at its memory limit, an alarm of RabbitMQ, a disk that takes no more."""

import resource
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faults import books, checks
from faults.bare_subject import group_of
from faults.outcome import Outcome, Scale
from faults.subject import Subject
from service.redis import RedisEye

MEMORY = 12_000_000
DISK = 3_000_000
BIG = 90_000
LEAST_JOBS = 20


def full_broker(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Enqueue big jobs until they are refused, let a stranger fill Redis to the last byte, then start a worker."""
    with closing(RedisEye(subject.servers["redis"].port)) as redis:
        redis.ask("CONFIG", "SET", "maxmemory", int(redis.info("memory")["used_memory"]) + MEMORY)
        tokens = _fill(subject, scale, out)
        out.say(f"{_share(redis):.0%} of the memory used", _share(redis) < 1)
        _squat(redis)
        subject.add_worker()
        books.wait_for_ends(subject, tokens, 60)
        books.check(subject, out, tokens)
        redis.ask("DEL", "stranger")
    checks.check_recovery(subject, out)


def full_store(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Do the same to the Redis of the job store."""
    full_broker(subject, scale, out)


def blocked_broker(subject: Subject, _: Scale, out: Outcome) -> None:
    """Raise RabbitMQ's alarm for memory while jobs wait and run: it takes no more messages from anybody."""
    rabbitmq = subject.servers["rabbitmq"]
    subject.add_worker()
    tokens = subject.place_many(24, "nap", 2)
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    checks.check_refusals(subject, out, away=False)
    books.wait_for_ends(subject, tokens, 30)
    out.say("what waited ran meanwhile" if subject.ended(tokens) else "what waited stood still")
    rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    checks.check_recovery(subject, out)
    books.wait_for_ends(subject, tokens, 60)
    books.check(subject, out, tokens)
    checks.check_refused(subject, out)


def full_disk(subject: Subject, scale: Scale, out: Outcome) -> None:
    """Let no file of API and worker grow any more while jobs wait and run, and give room again."""
    subject.add_worker()
    running = subject.place_many(8, "nap", 6)
    subject.until(lambda: len(subject.ledger.open()) == len(running), "eight jobs in flight")
    limit = max(file.stat().st_size for file in subject.folder.glob("*.db*")) + DISK
    with _files_up_to(limit, subject):
        tokens = running + _fill(subject, scale, out)
        checks.check_refusals(subject, out, "carry", "x" * BIG, away=False)
        subject.until(lambda: subject.ended(running), "what runs to end, and to wait for its record")
        time.sleep(2)
    checks.check_recovery(subject, out)
    books.wait_for_ends(subject, tokens, 60)
    books.check(subject, out, tokens)


def _fill(subject: Subject, scale: Scale, out: Outcome) -> list[str]:
    tokens: list[str] = []
    for _ in range(2000):
        token, answer = subject.place("carry", "x" * scale.random.randint(1, BIG))
        if token not in subject.accepted:
            break
        tokens.append(token)
    polite = answer.status == 503 and "retry-after" in answer.headers
    out.say(f"{answer.status} after {len(tokens)} jobs", polite and len(tokens) >= LEAST_JOBS)
    return tokens


def _share(redis: RedisEye) -> float:
    memory = redis.info("memory")
    return int(memory["used_memory"]) / int(memory["maxmemory"])


def _squat(redis: RedisEye) -> None:
    """Append to a key of one's own until Redis takes no more."""
    try:
        while True:
            redis.ask("APPEND", "stranger", "x" * BIG)
    except AssertionError:
        return


@contextmanager
def _files_up_to(size: int, subject: Subject) -> Iterator[None]:
    _limit_files(subject, size)
    try:
        yield
    finally:
        _limit_files(subject, resource.RLIM_INFINITY)


def _limit_files(subject: Subject, size: int) -> None:
    for process in (subject.api, *subject.workers):
        for pid in _group(process.pid) if process else []:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _group(leader: int) -> list[int]:
    """Return the processes of a process group."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if group_of(pid) == leader]
