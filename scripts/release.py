"""Cut a release: `python scripts/release.py 0.2.0` writes it down; committing and tagging it is up to you.

The template as it stands goes into history/, where it stays as it is for good. The package gets the version, and the
changes under *Unreleased* in the changelog get its heading.
"""

import argparse
import re
import sys
from datetime import date
from pathlib import Path

from bgtasks.archive import Archive, save, snapshot
from bgtasks.releases import HISTORY, order, recorded

ROOT = Path(__file__).parents[1]
UNRELEASED = "## [Unreleased]\n"


def release(root: Path, version: str, today: date) -> Path:
    """Write a release down and give the file that holds it."""
    known, new = recorded(root), snapshot(root, version)
    newest = max(known.versions, key=order, default="")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version) or order(version) <= order(newest):
        sys.exit(f"error: {version} is no release\n\nhint: Give three numbers, later than {newest or '0.0.0'}")
    changelog = dated(root.joinpath("CHANGELOG.md").read_text(), version, today, changed(known, newest, new, version))
    record = root / HISTORY / f"{version}.xz"
    record.parent.mkdir(exist_ok=True)
    save(new.without(known), record)
    root.joinpath("CHANGELOG.md").write_text(changelog)
    package = root / "src/bgtasks/__init__.py"
    package.write_text(re.sub(r'(__version__ = )".*"', rf'\1"{version}"', package.read_text()))
    return record


def changed(known: Archive, newest: str, new: Archive, version: str) -> bool:
    """Say whether the template differs from that of the newest release."""
    return not newest or known.versions[newest] != new.versions[version]


def dated(changelog: str, version: str, today: date, template: bool) -> str:
    """Give the changelog with the heading of a release over what was unreleased."""
    _, _, rest = changelog.partition(UNRELEASED)
    entries = rest.partition("\n## ")[0]
    if not entries.strip():
        sys.exit("error: CHANGELOG.md says nothing under [Unreleased]\n\nhint: Say in users' words what has changed")
    if template and "\n### Template\n" not in entries:
        sys.exit("error: The template has changed\n\nhint: Say under ### Template what an update changes in a project")
    return changelog.replace(UNRELEASED, f"{UNRELEASED}\n## [{version}] - {today:%Y-%m-%d}\n", 1)


def main() -> None:
    """Cut the release and say what is left to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="three numbers, such as 0.2.0")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    options = parser.parse_args()
    record = release(options.root, options.version, date.today())
    print(f"wrote {record.relative_to(options.root)} ({record.stat().st_size / 1000:.0f} kB)")
    print(f"now: git add --all && git commit -m 'feat: release {options.version}' && git tag v{options.version}")
    print("then: make test; the next change of the template sets __version__ to the next version with .dev0")


if __name__ == "__main__":
    main()
