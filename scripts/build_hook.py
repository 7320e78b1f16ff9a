"""Hatch hook: every version of the template goes into the wheel as one archive."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateArchiveHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own examples leave the parameter out
    """Pack the releases in history/ and the template as it stands beside the package's modules."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the archive to a wheel; an editable one reads the checkout instead."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "src")))
        from bgtasks.releases import ARCHIVE, pack  # importable only now, the package is being built

        archive = Path(self.directory, ARCHIVE)
        archive.parent.mkdir(parents=True, exist_ok=True)
        pack(Path(self.root), archive)
        build_data["force_include"][str(archive)] = f"bgtasks/{ARCHIVE}"
