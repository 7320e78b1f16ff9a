"""What a worker process says of itself, in a byte that its supervisor reads."""

from enum import IntEnum


class Stage(IntEnum):
    """How far a worker process is."""

    STARTING = 0
    READY = 1
    LEAVING = 2  # it takes no more jobs, and has some that still run
