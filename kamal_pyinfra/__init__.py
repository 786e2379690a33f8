"""Zero-downtime container deploys to your own servers, with a plan you can read."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
