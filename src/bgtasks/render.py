"""Answers to files, through Copier; the only module that imports it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copier import Settings, run_copy
from copier.errors import CopierError
from jinja2 import Environment, TemplateError
from plumbum import ProcessExecutionError, local

from bgtasks.destination import check_vacant, staged
from bgtasks.errors import RenderError
from bgtasks.releases import SOURCE, current

__all__ = ["fill", "plan", "render"]


def render(answers: Mapping[str, object], dest: Path, template: Path, version: str = "") -> list[Path]:
    """Write the project for these answers: all of it, or nothing.

    Args:
        answers: One answer to every question, as `questions.complete` gives them.
        dest: A directory that does not exist yet or is empty; parents are made.
        template: A plain directory with copier.yml, as `releases.template_root` gives it.
        version: The version of that template; this installation's own if none is named.

    Returns:
        The paths of the files, relative to `dest`, sorted.

    Raises:
        DestinationError: `dest` is taken or cannot be written.
        RenderError: The template is broken or the disk is full.
    """
    check_vacant(dest, lambda: plan(answers, template))
    with staged(dest) as stage:
        return fill(stage, answers, template, version or current())


def plan(answers: Mapping[str, object], template: Path) -> list[Path]:
    """Give the paths that `render` would write, relative to the project's root, sorted.

    Raises:
        RenderError: The template is broken, or there is no room to try it.
    """
    with tempfile.TemporaryDirectory(prefix="bgtasks-plan-") as folder:
        return fill(Path(folder, "project"), answers, template, current())


def fill(folder: Path, answers: Mapping[str, object], template: Path, version: str, record: int = 1) -> list[Path]:
    """Render into a folder that is not there yet, without more ado; gives the paths of its files, sorted.

    Args:
        folder: Made by this.
        answers: As for `render`.
        template: As for `render`.
        version: What the answers file names as the version of the template.
        record: The number of the decision record about the backend.

    Raises:
        RenderError: The template is broken, or there is no room.
    """
    identity = {"bgtasks_src": SOURCE, "bgtasks_ref": f"v{version}", "record": f"{record:04}"}
    try:
        with _no_outer_repository(), _compiling_once():
            run_copy(
                str(template),
                folder,
                data={**answers, **identity},
                defaults=True,
                quiet=True,
                unsafe=False,
                settings=Settings(),  # not the user's own defaults for other templates
            )
    except (CopierError, TemplateError, ProcessExecutionError) as error:  # some are OSErrors, but not of the disk
        raise RenderError(
            "Cannot render the template", why=str(error), hint="This is a bug in bgtasks: please report these lines"
        ) from error
    except OSError as error:
        raise RenderError(
            "Cannot write the project", why=str(error), hint="Make room on the disk, then run the same command again"
        ) from error
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def _no_outer_repository() -> Iterator[None]:
    """Hide git from Copier, which has no repository to look at here and would ask it after every file.

    GIT_DIR and its like, set inside git hooks, would make it take the template for a repository.
    """
    with local.env():
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"):
            if name in local.env:
                del local.env[name]
        # No git to be found is the one way to keep Copier from asking: it has no option for that.
        local.env["PATH"] = ""
        yield


_compile: Any = Environment.compile
_codes: dict[tuple[object, ...], Any] = {}


@contextmanager
def _compiling_once() -> Iterator[None]:
    """Let Jinja keep what it compiles: Copier has every part of every path compiled anew, more than half its time.

    Two versions of a template share it too: the file that a text came from, which the code names, does not count.
    """

    def compile_once(environment: Environment, source: Any, name: Any = None, file: Any = None, **named: Any) -> Any:
        # The kind of environment decides what the code may do, so sandboxed code is not shared with other code.
        key = (type(environment), source, name, *sorted(named.items()))
        if key not in _codes:
            _codes[key] = _compile(environment, source, name, file, **named)
        return _codes[key]

    Environment.compile = compile_once  # type: ignore[method-assign, assignment]  # put back below
    try:
        yield
    finally:
        Environment.compile = _compile  # type: ignore[method-assign]  # as above
