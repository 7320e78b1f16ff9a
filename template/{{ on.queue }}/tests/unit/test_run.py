import pytest

from app.jobs.run import retry_delay_s


@pytest.mark.parametrize(("attempt", "longest_s"), [(1, 1), (2, 2), (5, 16), (20, 60)])
def test_pauses_double_up_to_a_minute_and_are_spread(attempt: int, longest_s: float) -> None:
    pauses = [retry_delay_s(attempt) for _ in range(200)]
    assert longest_s / 2 <= min(pauses) < max(pauses) <= longest_s
