import csv

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.tasks.quarters import months_of, quarter_path, total_quarter


@pytest.mark.parametrize(
    ("quarter", "months"), [(1, ["2026-01", "2026-02", "2026-03"]), (4, ["2026-10", "2026-11", "2026-12"])]
)
def test_a_quarter_has_three_months(quarter: int, months: list[str]) -> None:
    assert months_of(2026, quarter) == months


def test_the_totals_of_the_months_add_up() -> None:
    reports = [{"total_cents": cents} for cents in (100, 20, 3)]
    assert total_quarter("2026-Q1", months_of(2026, 1), reports)["total_cents"] == 123
    lines = quarter_path("2026-Q1").read_text().splitlines()
    assert list(csv.reader(lines))[1:] == [["2026-01", "100"], ["2026-02", "20"], ["2026-03", "3"], ["total", "123"]]


def test_a_quarter_has_no_fifth() -> None:
    with TestClient(create_app()) as client:
        assert client.post("/quarters", json={"year": 2026, "quarter": 5}).status_code == 422
