"""Ask about the background work, choose the backend that fits, write the whole service."""

__all__ = ["__version__"]

__version__ = "0.3.0.dev0"
