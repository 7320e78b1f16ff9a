"""How large the image is, and how long it takes: from nothing, and after a change of one line of code."""

import time

from containers.engine import docker
from containers.figures import keep
from containers.stack import Stack

SOON_S = 10  # promised for a change of code with a warm cache


def built_s(stack: Stack, *options: str) -> float:
    """Build the image of the API, and return the seconds that took."""
    started = time.monotonic()
    stack.compose("build", *options, "api")
    return time.monotonic() - started


def layers(stack: Stack) -> list[str]:
    """Return the layers of the image of the API, the lowest first."""
    return docker("image", "inspect", "-f", '{{join .RootFS.Layers " "}}', image(stack)).split()


def image(stack: Stack) -> str:
    """Return the name of the image of the API."""
    return str(stack.inspect("api")["Config"]["Image"])


def test_a_change_of_code_installs_nothing_and_is_built_soon(stack: Stack) -> None:
    cold_s = built_s(stack, "--no-cache")
    before = layers(stack)
    (stack.project.root / "app/main.py").open("a").write("\n# One line more.\n")
    warm_s = built_s(stack)
    # The code, and what is compiled of it, are the last two.
    assert (layers(stack)[:-2], layers(stack)[-2] == before[-2]) == (before[:-2], False)
    size_mb = int(docker("image", "inspect", "-f", "{{.Size}}", image(stack))) / 1_000_000
    keep(str(stack.variant), cold_s=cold_s, warm_s=warm_s, size_mb=size_mb)
    assert warm_s < SOON_S
