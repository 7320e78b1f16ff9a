"""Make the secret files that ops/secrets.toml lists: `poe secrets`.

`secrets/` holds what people read and change; a file that exists is kept. `secrets/mounted/` holds
what containers read: copies that belong to the user of their container. All have mode 600.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from secrets import token_hex

_LIST = Path(__file__).parent / "secrets.toml"
_FOLDER = Path(__file__).parents[1] / "secrets"
_MOUNTED = _FOLDER / "mounted"
# The base of the Dockerfile: it is there already, or will be needed anyway.
_IMAGE = "python:3.13-slim-trixie"
_LATER = "secrets/mounted/ is yours alone so far: run this again where Docker runs, before the containers start"


def main() -> None:
    """Make what is missing, say so, and give each container its copies; `--local` leaves those for later."""
    _FOLDER.mkdir(mode=0o700, exist_ok=True)
    _MOUNTED.mkdir(exist_ok=True)
    _MOUNTED.chmod(0o755)  # the folder around it keeps everybody else on this machine out
    texts: dict[str, str] = {}
    readers: dict[str, int] = {}
    for name, secret in tomllib.loads(_LIST.read_text()).items():
        path = _FOLDER / name
        if not path.exists():
            write(path, secret.get("text", token_hex(24)).format_map(texts))
            sys.stdout.write(f"made secrets/{name}\n")
        texts[name] = path.read_text()
        if "reader" in secret:
            readers[name] = secret["reader"]
            write(_MOUNTED / name, texts[name])
    if "--local" not in sys.argv and not hand_over(readers):
        sys.exit(_LATER)


def write(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whoever owned the one before."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def hand_over(readers: dict[str, int]) -> bool:
    """Give each mounted file to the user id that reads it; return whether that could be done."""
    if os.geteuid() == 0:
        for name, reader in readers.items():
            os.chown(_MOUNTED / name, reader, reader)
        return True
    # Only root can give a file away, and who may start containers can be root in one.
    rights = ["--network=none", "--user=0", "--cap-drop=ALL", "--cap-add=CHOWN"]
    line = " && ".join(f"chown {reader}:{reader} {name}" for name, reader in readers.items())
    command = ["docker", "run", "--rm", *rights, f"--volume={_MOUNTED}:/mounted", "--workdir=/mounted", _IMAGE]
    try:
        return subprocess.run([*command, "sh", "-c", line], check=False).returncode == 0  # noqa: S603 - our own words
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main()
