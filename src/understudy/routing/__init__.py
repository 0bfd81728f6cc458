"""Ready versions and labels become the routes that requests see. Pure.

routes.py holds what crosses into Rust, table.py decides what it says.
"""

from understudy.routing.routes import LabelRoute, ModelRoute, ReadyVersion, RouteUpdate, VersionStatus
from understudy.routing.table import UNSTEERED, Labels, RouteTable, Steering, Terms, build_route, diff

__all__ = [
    "UNSTEERED",
    "LabelRoute",
    "Labels",
    "ModelRoute",
    "ReadyVersion",
    "RouteTable",
    "RouteUpdate",
    "Steering",
    "Terms",
    "VersionStatus",
    "build_route",
    "diff",
]
