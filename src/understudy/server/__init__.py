"""The composition root: builds, wires, starts and stops everything. The only package that knows all of it."""

from understudy.server.run import run

__all__ = ["run"]
