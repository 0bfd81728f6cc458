"""Frozen pictures of the control loop's state, one after each tick that changed something.

Any thread may read the last one without waiting for the loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from understudy.model_config import ModelConfig, ServerConfig
from understudy.rollout.decision import Change
from understudy.rollout.plan import Strategy
from understudy.rollout.state import ModelTraffic
from understudy.routing import RouteTable
from understudy.servable import FoundVersions, ModelSnapshot


@dataclass(frozen=True, slots=True)
class Picture:
    """The control plane at one moment. Times are of the loop's clock.

    Attributes:
        config: in force.
        config_revision: its number; 0 before the first one.
        configured: the same by name.
        configured_at: when it came into force; none before the first one.
        models: by name, those that have versions or had some.
        looks: by name, the last look at each configured model.
        polled_at: when the source last reported; none before the first time.
        table: the routes as published.
        traffic: what is kept of models' traffic, by model: rollouts, weights, quarantine.
        strategies: for new versions, by model; these models are managed.
        owed: of models' traffic, what is in force and not on record yet, because the store fails.
    """

    config: ServerConfig = field(default_factory=ServerConfig)
    config_revision: int = 0
    configured: Mapping[str, ModelConfig] = field(default_factory=dict)
    configured_at: float | None = None
    models: Mapping[str, ModelSnapshot] = field(default_factory=dict)
    looks: Mapping[str, FoundVersions] = field(default_factory=dict)
    polled_at: float | None = None
    table: RouteTable = field(default_factory=RouteTable)
    traffic: Mapping[str, ModelTraffic] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    owed: Mapping[str, Change] = field(default_factory=dict)
