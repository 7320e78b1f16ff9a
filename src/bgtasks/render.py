"""Answers to files, through Copier; the only module that imports it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from copier import Settings, run_copy
from copier.errors import CopierError
from jinja2 import TemplateError
from plumbum import ProcessExecutionError, local

from bgtasks import __version__
from bgtasks.destination import check_vacant, staged
from bgtasks.errors import RenderError
from bgtasks.releases import SOURCE

__all__ = ["plan", "render"]


def render(answers: Mapping[str, object], dest: Path, template: Path) -> list[Path]:
    """Write the project for these answers: all of it, or nothing.

    Args:
        answers: One answer to every question, as `questions.complete` gives them.
        dest: A directory that does not exist yet or is empty; parents are made.
        template: A plain directory with copier.yml, as `releases.template_root` gives it.

    Returns:
        The paths of the files, relative to `dest`, sorted.

    Raises:
        DestinationError: `dest` is taken or cannot be written.
        RenderError: The template is broken or the disk is full.
    """
    check_vacant(dest, lambda: plan(answers, template))
    with staged(dest) as stage:
        return _copy(answers, stage, template)


def plan(answers: Mapping[str, object], template: Path) -> list[Path]:
    """Give the paths that `render` would write, relative to the project's root, sorted.

    Raises:
        RenderError: The template is broken, or there is no room to try it.
    """
    with tempfile.TemporaryDirectory(prefix="bgtasks-plan-") as folder:
        return _copy(answers, Path(folder, "project"), template)


def _copy(answers: Mapping[str, object], stage: Path, template: Path) -> list[Path]:
    identity = {"bgtasks_src": SOURCE, "bgtasks_ref": f"v{__version__}"}
    try:
        with _no_outer_repository():
            run_copy(
                str(template),
                stage,
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
    return sorted(path.relative_to(stage) for path in stage.rglob("*") if not path.is_dir())


@contextmanager
def _no_outer_repository() -> Iterator[None]:
    """Hide GIT_DIR and its like, set inside git hooks: Copier would take the template for a repository."""
    with local.env():
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"):
            if name in local.env:
                del local.env[name]
        yield
