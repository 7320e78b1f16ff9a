"""HTTP routes, one file per noun; the `router` of every module in here is found by itself."""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi import APIRouter


def routers() -> Iterator[APIRouter]:
    """Yield the router of each noun, by name."""
    for module in pkgutil.iter_modules(__path__, prefix=f"{__name__}."):
        yield importlib.import_module(module.name).router
