"""What an update says: before it writes, and afterwards."""

from collections import Counter
from collections.abc import Iterator

from bgtasks.recommend import overrule_cost, recommend
from bgtasks.show import recommended
from bgtasks.update.plan import Change, Plan
from bgtasks.update.target import Target
from bgtasks.update.trees import Kind

__all__ = ["announcement", "summary"]


def announcement(target: Target, plan: Plan) -> Iterator[str]:
    """Give the lines that are printed before anything is written."""
    yield from _heading(target)
    if target.changed:
        yield from ("", *recommended(recommend(target.after, target.new.matrix), target.new.matrix))
        yield from _backend(target)
    yield ""
    yield from (f"  {_verb(change):8} {change.path}" for change in plan.changes)
    if plan.conflicts:
        yield from ("", "In conflict:", *(f"  {path}: {why}" for path, why in plan.conflicts))
    if plan.notes:
        yield from ("", "To know:", *(f"  {note}" for note in plan.notes))
    if not plan.in_repository:
        yield from ("", "The project is in no git repository: only a copy of yours can take the update back.")


def summary(plan: Plan) -> str:
    """Give the counts: `3 added, 12 changed, 1 removed, 0 in conflict`."""
    count = Counter(_verb(change) for change in plan.changes)
    written = f"{count['add']} added, {count['change']} changed, {count['remove']} removed"
    return f"{written}, {len(plan.conflicts)} in conflict"


def _heading(target: Target) -> Iterator[str]:
    name, old, new = target.project.root.name, target.old.version, target.new.version
    yield f"{name}: bgtasks {old} to {new}" if old != new else f"{name}: bgtasks {old}, other answers"
    for key, (before, after) in target.changed.items():
        yield f"  {key}: {after} (new question)" if before is None else f"  {key}: {before} to {after or 'not asked'}"


def _backend(target: Target) -> Iterator[str]:
    titles = {key: backend.title for case in (target.old, target.new) for key, backend in case.matrix.backends.items()}
    if target.switches:
        before, after = (titles[str(answers["backend"])] for answers in (target.before, target.after))
        yield f"The project moves from {before} to {after}."
        costs = overrule_cost(target.after, target.new.matrix)
        yield from (f"  Against the recommendation: {cost}" for cost in costs)
    elif target.after["backend"] != recommend(target.after, target.new.matrix).backend:
        yield f"The project stays with {titles[str(target.after['backend'])]}."


def _verb(change: Change) -> str:
    if change.after is None:
        return "remove"
    return "change" if change.before and change.before.kind is Kind.FILE else "add"
