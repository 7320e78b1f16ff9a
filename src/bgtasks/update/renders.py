"""What the template wrote for a project, and what it writes now."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bgtasks.case import Case
from bgtasks.questions import Answer
from bgtasks.update.records import current_record, is_record, next_record
from bgtasks.update.target import Target
from bgtasks.update.trees import Node, read_tree

__all__ = ["Renders", "render_tree", "rendered"]


class Renders(NamedTuple):
    """The two sides of an update."""

    base: dict[str, Node]
    theirs: dict[str, Node]


def rendered(target: Target) -> Renders:
    """Render a target's two sides.

    Raises:
        RenderError: A template is broken, or there is no room for the files.
    """
    root, backend = target.project.root, str(target.before["backend"])
    record = current_record(root, backend)
    # The base is rendered anew rather than kept in the project: a stored copy could be edited, or lost.
    base = render_tree(target.old, target.before, record)
    theirs = render_tree(target.new, target.after, next_record(root) if target.switches else record)
    if target.switches:  # the record of the former backend is the user's now
        base = {path: node for path, node in base.items() if not is_record(path, backend)}
    return Renders(base, theirs)


def render_tree(case: Case, answers: Mapping[str, Answer], record: int = 1) -> dict[str, Node]:
    """Render a version of the template with these answers.

    Raises:
        RenderError: The template is broken, or there is no room for the files.
    """
    from bgtasks.render import fill  # loads Copier, which a project that is up to date does not need

    with tempfile.TemporaryDirectory(prefix="bgtasks-render-", ignore_cleanup_errors=True) as folder:
        root = Path(folder, "project")
        fill(root, answers, case.template, case.version, record)
        return read_tree(root)
