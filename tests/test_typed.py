"""The code of every variant passes its own strict type check, in both code styles."""

from collections.abc import Callable

import pytest

from bgtasks.case import Case
from service.project import Project, write_project
from service.variants import VARIANTS, Variant, per_variant


@pytest.mark.parametrize("style", ["async", "sync"])
@pytest.mark.parametrize("variant", per_variant(VARIANTS))
def test_the_render_passes_mypy_strict_and_its_unit_tests(
    variant: Variant,
    style: str,
    case: Case,
    installed: Callable[[Variant], Project],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    project = installed(variant)
    answers = {"backend": variant.backend} | variant.answers | {"code_style": style}
    other = write_project(case, tmp_path_factory.mktemp("typed") / "demo", **answers)
    (other.root / ".venv").symlink_to(project.root / ".venv")
    for command in (("mypy",), ("pytest", "-q", "tests/unit")):
        result = other.run(*command)
        assert result.returncode == 0, result.stdout
