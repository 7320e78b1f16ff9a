"""Make the secret files that ops/secrets.toml lists and compose.yaml mounts: `poe secrets`.

A file that exists is kept, so this can run at any time; remove one to have it made anew.
"""

import os
import sys
import tomllib
from pathlib import Path
from secrets import token_hex

_LIST = Path(__file__).parent / "secrets.toml"
_FOLDER = Path(__file__).parents[1] / "secrets"


def main() -> None:
    """Make what is missing, and say so."""
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    texts: dict[str, str] = {}
    for name, secret in tomllib.loads(_LIST.read_text()).items():
        path = _FOLDER / name
        if not path.exists():
            write(path, secret.get("text", token_hex(24)).format_map(texts), secret.get("reader"))
            sys.stdout.write(f"made secrets/{name}\n")
        texts[name] = path.read_text()


def write(path: Path, text: str, reader: int | None) -> None:
    """Write a file that only its owner reads, and the user id that reads it in a container."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    if reader is not None and os.geteuid() == 0:
        os.chown(part, reader, reader)
    elif reader is not None:
        # Only root can give a file away. The folder keeps everybody else on this machine out.
        part.chmod(0o644)
    part.replace(path)


if __name__ == "__main__":
    main()
