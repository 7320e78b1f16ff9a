"""What can go wrong around jobs.

JobsError
├── UnknownTask           no function is declared under this name
├── BadArguments          the arguments do not fit the function, or are not JSON
└── Unavailable           try again after `retry_after_s`
    └── TooManyJobs       as many jobs wait as the service accepts

JobInterrupted            raised inside a running task
├── JobCancelled          somebody cancelled the job
└── TimeLimitExceeded     the soft time limit has passed
"""


class JobsError(Exception):
    """Base of every error that the jobs package raises to its callers."""


class UnknownTask(JobsError):
    """Raised when no function is declared under the name of a task."""


class BadArguments(JobsError):
    """Raised when a job's arguments do not fit its function or are not JSON."""


class Unavailable(JobsError):
    """Raised when a job cannot be accepted right now; the caller still owns it."""

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyJobs(Unavailable):
    """Raised when as many jobs wait as the service accepts."""


class JobInterrupted(Exception):
    """Base of what is raised inside a running task to make it stop and clean up."""

    reason = "interrupted"


class JobCancelled(JobInterrupted):
    """Raised inside a task whose job was cancelled."""

    reason = "cancelled"


class TimeLimitExceeded(JobInterrupted):
    """Raised inside a task that has run past its soft time limit."""

    reason = "time_limit"
