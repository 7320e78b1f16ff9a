"""Drive a generated project's job store: in its own Python, from several processes, by a clock that a test sets."""
