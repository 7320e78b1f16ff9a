"""Whatever a user does to a project, no line, file or link of theirs is gone after an update without a word.

`make test` tries a fixed number of cases, always the same; `make fuzz` tries new ones for longer.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from updates.project import Shop, new
from updates.versions import FIRST, SECOND, install

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
FUZZING = "FUZZ_EXAMPLES" in os.environ

PATHS = sorted({name.removesuffix(".jinja") for name in {*FIRST, *SECOND}})
OWN = ["app/mine.py", "notes.txt", "ops/mine/own.conf", "gen.env.local", "ünï cödé.txt", "docs/decisions/0002-mine.md"]
ANSWERS = [
    [],
    ["--set", "cores=8"],
    ["--set", "backend=huey"],
    ["--set", "task_loss=never"],
    ["--set", "jobs_per_day=10k"],
]


@dataclass
class User:
    """Somebody who works in a project; everything that they write says so."""

    shop: Shop
    outside: Path
    written: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Give a new line of the user's."""
        self.written.append(f"written by the user, {len(self.written)}")
        return self.written[-1]

    def insert(self, path: str, where: int) -> None:
        """Write a line into a text."""
        if lines := self._lines(path):
            lines.insert(where % (len(lines) + 1), f"{self.text()}\n")
            self.shop.write(path, "".join(lines))

    def replace(self, path: str, where: int) -> None:
        """Write over a line, which may be one of their own."""
        if lines := self._lines(path):
            gone = lines[where % len(lines)].strip()
            self.written = [line for line in self.written if line != gone]
            lines[where % len(lines)] = f"{self.text()}\n"
            self.shop.write(path, "".join(lines))

    def add(self, path: str, count: int) -> None:
        """Write a file where there is none."""
        if not self._is_free(path):
            return
        self.shop.write(path, "".join(f"{self.text()}\n" for _ in range(1 + count % 15)))

    def delete(self, path: str, _: int) -> None:
        """Delete a template's file that they have not written into."""
        if self._is_file(path) and "written by the user" not in (self.shop / path).read_bytes().decode(
            errors="replace"
        ):
            (self.shop / path).unlink()

    def rename(self, path: str, number: int) -> None:
        """Give a file another name, perhaps that of another file of the template."""
        target = [*OWN, *PATHS][number % (len(OWN) + len(PATHS))]
        if self._is_file(path) and self._is_free(target):
            (self.shop / target).parent.mkdir(parents=True, exist_ok=True)
            (self.shop / path).rename(self.shop / target)

    def chmod(self, path: str, number: int) -> None:
        """Change who may do what with a file."""
        if self._is_file(path):
            (self.shop / path).chmod([0o755, 0o644, 0o600, 0o444][number % 4])

    def crlf(self, path: str, _: int) -> None:
        """Save a text from an editor of Windows."""
        if self._lines(path):
            self.shop.write(path, (self.shop / path).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def binary(self, path: str, _: int) -> None:
        """Put a picture in place of a template's file."""
        if self._is_file(path) and path in PATHS:
            self.delete(path, 0)
            if self._is_free(path):
                self.shop.write(path, f"\0\n{self.text()}\n")

    def link(self, path: str, _: int) -> None:
        """Put a symbolic link in place of a template's file, or of its folder."""
        self.delete(path, 0)
        if self._is_free(path):
            (self.shop / path).parent.mkdir(parents=True, exist_ok=True)
            (self.shop / path).symlink_to(self.outside / "kept.txt")

    def folder(self, path: str, _: int) -> None:
        """Put a folder in place of a template's file."""
        self.delete(path, 0)
        self.add(f"{path}/inside.txt", 0)

    def _is_file(self, path: str) -> bool:
        return (self.shop / path).is_file() and not self._leads_out(path)

    def _is_free(self, path: str) -> bool:
        parents = [parent for parent in (self.shop / path).parents if self.shop.root in parent.parents]
        clear = all(parent.is_dir() and not parent.is_symlink() for parent in parents if os.path.lexists(parent))
        return clear and not os.path.lexists(self.shop / path)

    def _leads_out(self, path: str) -> bool:
        return not (self.shop / path).resolve().is_relative_to(self.shop.root.resolve())

    def _lines(self, path: str) -> list[str]:
        if not self._is_file(path) or b"\0" in (self.shop / path).read_bytes():
            return []
        return (self.shop / path).read_bytes().decode().splitlines(True)


DEEDS: list[Callable[[User, str, int], None]] = [
    *(User.insert, User.replace, User.add, User.delete, User.rename, User.chmod),
    *(User.crlf, User.binary, User.link, User.folder),
]
edits = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.sampled_from([*PATHS, *OWN]), st.integers(0, 40)), min_size=1, max_size=8
)


@pytest.fixture(scope="module", autouse=True)
def installed(package: Path, fill_once: Callable[..., list[Path]]) -> Iterator[None]:
    """Be bgtasks 0.2.0 for all examples."""
    with pytest.MonkeyPatch.context() as patch:
        install(package, "0.2.0", patch)
        patch.setattr("bgtasks.render.fill", fill_once)
        yield


def texts(shop: Shop) -> Iterator[str]:
    """Give every line in the project."""
    for path in shop.root.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
            yield from path.read_bytes().decode(errors="replace").splitlines()


def links(shop: Shop) -> dict[str, Path]:
    return {path: Path(where.readlink()) for path in shop.content() if (where := shop / path).is_symlink()}


def runnable(shop: Shop) -> set[str]:
    return {path for path in [*PATHS, *OWN] if (shop / path).is_file() and os.access(shop / path, os.X_OK)}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not FUZZING,
    database=None,
    phases=[Phase.generate, Phase.shrink] if FUZZING else [Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    release=st.sampled_from(["0.1.0", "0.2.0"]), answers=st.sampled_from(ANSWERS), edits=edits, commits=st.booleans()
)
def test_nothing_of_the_users_is_lost(
    release: str, answers: list[str], edits: list[tuple[Callable[[User, str, int], None], str, int]], commits: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside = Path(folder, "outside")
        outside.mkdir()
        (outside / "kept.txt").write_text("outside\n")
        shop = new(Path(folder, "shop"), "--release", release, "--set", "task_loss=acceptable")
        user = User(shop, outside)
        for deed, path, number in edits:
            deed(user, path, number)
        if commits:
            shop.commit()
        had = links(shop), runnable(shop)
        result = shop.update("--yes", *answers)
        assert result.stderr == ""
        assert set(user.written) <= set(texts(shop))
        assert had[0].items() <= links(shop).items()
        assert {path for path in had[1] if (shop / path).is_file()} <= runnable(shop)
        assert {path.name: path.read_text() for path in outside.iterdir()} == {"kept.txt": "outside\n"}
        assert result.exit_code == ("\nIn conflict:\n" in result.stdout)
        assert any("<<<<<<< yours" in line for line in texts(shop)) <= result.exit_code
        assert "0 changed" in shop.update("--yes").stdout
