"""The job of both sides: it notes that it ran, which takes a few microseconds, and gives back what it got."""

import os

_marks = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def mark(number: int) -> int:
    os.write(_marks, b".")
    return number


async def async_mark(number: int) -> int:
    return mark(number)
