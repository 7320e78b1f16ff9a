"""The real template: from each earlier release to this one, and from every backend to every other."""

import shutil
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from bgtasks import __version__
from bgtasks.releases import recorded
from conftest import ROOT
from service.project import Project
from service.variants import VARIANTS, Variant, per_variant
from updates.conftest import Fill
from updates.project import Shop, new
from updates.versions import install, publish

EARLIER = [version for version in recorded(ROOT).versions if version != __version__] or ["0.0.1"]
OF_THE_USER = {
    "app/tasks/invoices.py": '''\
"""Invoices that customers get."""

from app.jobs import task


@task(name="invoices.total")
def total(prices: list[int]) -> int:
    """Add up prices in cents."""
    return sum(prices)
''',
    "app/api/invoices.py": '''\
"""Invoices: order one."""

from fastapi import APIRouter, Response, status

from app.api.jobs import accepted
from app.jobs import Job, enqueue
from app.tasks.invoices import total

router = APIRouter(prefix="/invoices", tags=["invoices"])


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def order(prices: list[int], response: Response) -> Job:
    """Add up in the background."""
    return accepted(await enqueue(total, prices), response)
''',
    "tests/unit/test_invoices.py": '''\
"""What an invoice adds up to."""

from app.api.invoices import router
from app.tasks.invoices import total


def test_prices_are_added_up() -> None:
    assert total([1, 2]) == 3
    assert router.prefix == "/invoices"
''',
}
EDITS = {
    "README.md": "\nAsk Kim before you deploy.\n",
    "app/observability.py": '\n\nOWN_METRIC = "invoices_total"\n',
    ".gitignore": "\n/invoices/\n",
    "settings.toml": "# ours: reviewed in June\n",
    "pyproject.toml": "\n[tool.ours]\nteam = 7\n",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout and the releases before it; where there is none yet, one that is made up."""
    folder = tmp_path_factory.mktemp("real")
    checkout = copy_of_the_template(folder / "now")
    versions = {__version__: checkout}
    if EARLIER == ["0.0.1"]:
        versions["0.0.1"] = _before(copy_of_the_template(folder / "before"))
    else:
        versions |= {version: _unpacked(folder / version, version) for version in EARLIER}
    return publish(versions, folder / "lib" / "bgtasks")


@pytest.fixture(autouse=True)
def installed_package(package: Path, fill_once: Fill, monkeypatch: pytest.MonkeyPatch) -> None:
    install(package, __version__, monkeypatch)
    monkeypatch.setattr("bgtasks.render.fill", fill_once)
    monkeypatch.setattr("bgtasks.secret_files.make_secrets", lambda _: "")


def copy_of_the_template(folder: Path) -> Path:
    folder.mkdir()
    for path in [*ROOT.glob("*.jinja"), ROOT / "copier.yml", ROOT / "matrix.yml"]:
        shutil.copy(path, folder)
    for name in ("pins", "template"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _before(root: Path) -> Path:
    """Make a template that this one improves: other texts, a file less, a file more, one of another name."""
    base = root / "template" / "{{ on.base }}"
    for path in (root / "template").rglob("*.py"):
        path.write_text(path.read_text().replace('."""\n', ', as it was before."""\n', 1))
    (base / "load/locustfile.py").unlink()
    (base / "app/legacy.py").write_text('"""What nobody needs any more."""\n')
    (base / "app/signatures.py").rename(base / "app/signing.py")
    return root


def _unpacked(folder: Path, version: str) -> Path:
    for member in recorded(ROOT).members(version):
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member.content)
        path.chmod(0o755 if member.executable else 0o644)
    return folder


def answers(variant: Variant) -> list[str]:
    defaults = {"infrastructure": "none", "task_loss": "never", "code_style": "async"}
    every = {**defaults, **variant.answers, "backend": variant.backend}
    return [word for key, value in every.items() for word in ("--set", f"{key}={value}")]


def work(shop: Shop) -> None:
    """Do what a user does in the first weeks."""
    for path, content in OF_THE_USER.items():
        shop.write(path, content)
    for path, more in EDITS.items():
        shop.write(path, shop.read(path) + more)
    shop.commit()


def assert_kept(shop: Shop) -> None:
    assert {path: shop.read(path) for path in OF_THE_USER} == OF_THE_USER
    assert {path: more in shop.read(path) for path, more in EDITS.items()} == dict.fromkeys(EDITS, True)


def assert_works(shop: Shop, environment: Project) -> None:
    """Run the project's own checks, with what is installed for its backend."""
    (shop / ".venv").symlink_to(environment.root / ".venv")
    project = Project(shop.root)
    for words in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["pytest", "-q", "tests/unit"]):
        done = project.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", EARLIER)
@pytest.mark.parametrize("variant", per_variant(VARIANTS))
def test_an_edited_project_of_an_earlier_release_becomes_this_one(
    variant: Variant, version: str, installed: Callable[[Variant], Project], tmp_path: Path
) -> None:
    shop = new(tmp_path / "demo", "--release", version, *answers(variant))
    work(shop)
    result = shop.update("--yes")
    assert (result.exit_code, result.stderr) == (0, "")
    assert_kept(shop)
    fresh = new(tmp_path / "fresh", "--set", "project_name=demo", *answers(variant))
    assert untouched(shop) == {path: what for path, what in untouched(fresh).items() if path in untouched(shop)}
    assert set(fresh.content()) - set(shop.content()) == set()
    if version == EARLIER[-1]:
        assert_works(shop, installed(variant))


def untouched(shop: Shop) -> dict[str, object]:
    """Give the files that the user has not touched."""
    return {path: what for path, what in shop.content().items() if path not in {*OF_THE_USER, *EDITS}}


def of(backend: str, turn: int) -> Variant:
    """Give a variant of a backend, another one at each turn."""
    variants = [variant for variant in VARIANTS if variant.backend == backend]
    return variants[turn % len(variants)]


BACKENDS = list(dict.fromkeys(variant.backend for variant in VARIANTS))
PAIRS = [(of(one, turn), of(other, turn + 1)) for turn, (one, other) in enumerate(permutations(BACKENDS, 2))]


@pytest.mark.parametrize("one, other", PAIRS, ids=lambda variant: str(variant))
def test_a_project_on_one_backend_moves_to_any_other(one: Variant, other: Variant, tmp_path: Path) -> None:
    shop = new(tmp_path / "demo", *answers(one))
    work(shop)
    records = {path: what for path, what in shop.content().items() if path.startswith("docs/decisions/")}
    result = shop.update("--yes", *answers(other))
    assert (result.exit_code, result.stderr) == (0, "")
    assert_kept(shop)
    assert records.items() <= shop.content().items()
    words = [word for key, value in shop.recorded().items() if key[0] != "_" for word in ("--set", f"{key}={value}")]
    fresh = new(tmp_path / "fresh", *words)
    differing = {path for path, what in untouched(fresh).items() if untouched(shop).get(path) != what}
    assert differing == {f"docs/decisions/0001-use-{other.backend}.md"}
    assert set(untouched(shop)) - set(fresh.content()) == {*records} - {"docs/decisions"} | {
        f"docs/decisions/0002-use-{other.backend}.md"
    }


MOVES = list(zip(VARIANTS[1:] + VARIANTS[:1], VARIANTS, strict=True))


@pytest.mark.parametrize(
    "other, one",
    [pytest.param(*pair, marks=pytest.mark.xdist_group(str(pair[0])), id=f"{pair[1]} to {pair[0]}") for pair in MOVES],
)
def test_a_project_that_has_moved_passes_its_own_checks(
    one: Variant, other: Variant, installed: Callable[[Variant], Project], tmp_path: Path
) -> None:
    shop = new(tmp_path / "demo", *answers(one))
    work(shop)
    assert shop.update("--yes", *answers(other)).exit_code == 0
    assert_works(shop, installed(other))
