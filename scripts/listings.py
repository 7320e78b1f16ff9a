"""Write tests/listings/: which files a project of each backend and broker consists of."""

import sys
from pathlib import Path

from bgtasks.case import opened
from bgtasks.errors import AnswersError
from bgtasks.questions import complete
from bgtasks.render import plan

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from service.variants import VARIANTS  # noqa: E402 - it lies with the tests


def main() -> None:
    """Write one listing for each variant and workflow."""
    with opened() as case:
        for variant in VARIANTS:
            for workflows in ("none", "schedule", "chains"):
                given = {"project_name": "demo", "backend": variant.backend, "workflows": workflows} | variant.answers
                try:
                    answers = complete(given, case.questions, case.matrix)
                except AnswersError:
                    continue
                names = sorted(path.as_posix() for path in plan(answers, case.template))
                (TESTS / "listings" / f"{variant}-{workflows}.txt").write_text("\n".join(names) + "\n")


if __name__ == "__main__":
    main()
