"""What the operator wants: the models, where they are, which versions, under which labels.

Valid by construction: parsing (config_text.py) makes these, `diff` compares two of them.
"""

from dataclasses import dataclass, field

DEFAULT_LATEST_COUNT = 1
TENSORFLOW_PLATFORM = "tensorflow"


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions that are there; `count` is at least 1."""

    count: int = DEFAULT_LATEST_COUNT


@dataclass(frozen=True, slots=True)
class All:
    """Every version that is there."""


@dataclass(frozen=True, slots=True)
class Specific:
    """These versions, those of them that are there."""

    versions: tuple[int, ...]


VersionPolicy = Latest | All | Specific


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model.

    Attributes:
        name: as clients name it; never empty.
        base_path: absolute; one subdirectory a version.
        platform: which runtime loads it, `tensorflow` for example.
        version_policy: which versions should live.
        labels: label and version, sorted by label.
    """

    name: str
    base_path: str
    platform: str = TENSORFLOW_PLATFORM
    version_policy: VersionPolicy = Latest()
    labels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Every model, sorted by name, each name once."""

    models: tuple[ModelConfig, ...] = field(default=())
