"""A project under update, with what a user does to it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from bgtasks.cli import app


@dataclass(frozen=True)
class Shop:
    """A project in a directory; paths are relative to it."""

    root: Path

    def __truediv__(self, path: str) -> Path:
        return self.root / path

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, content: str | bytes) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file; what is replaced must be there."""
        assert old in self.read(path)
        self.write(path, self.read(path).replace(old, new, 1))

    def recorded(self) -> dict[str, object]:
        """Give what the answers file says."""
        answers: dict[str, object] = yaml.safe_load(self.read(".copier-answers.yml"))
        return answers

    def update(self, *words: str) -> Result:
        """Run `bgtasks update` on it without a terminal."""
        return CliRunner().invoke(app, ["update", str(self.root), *words])

    def git(self, *words: str) -> str:
        """Run git in it as its user does."""
        identity = ["-c", "user.name=Shop", "-c", "user.email=shop@example.com", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *identity, *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def commit(self) -> None:
        """Commit everything, in a repository of its own if there is none."""
        if not (self.root / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "work")

    def content(self) -> dict[str, object]:
        """Everything in it but git's own: bytes, link targets and permissions, by path."""
        return {
            path.relative_to(self.root).as_posix(): (_of(path), path.lstat().st_mode)
            for path in self.root.rglob("*")
            if ".git" not in path.relative_to(self.root).parts
        }

    def times(self) -> dict[str, int]:
        """When each file was last changed."""
        return {str(path): path.lstat().st_mtime_ns for path in [self.root, *self.root.rglob("*")]}


def new(root: Path, *words: str) -> Shop:
    """Write a project with the default answers."""
    made = CliRunner().invoke(app, ["new", str(root), "--defaults", "--quiet", *words])
    assert made.exit_code == 0, made.output
    return Shop(root)


def line(number: int, text: str) -> tuple[str, str]:
    """Give a line of the small template's texts, and that line with more to it."""
    return f"line {number}\n", f"line {number} {text}\n"


def _of(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.is_file() else None
