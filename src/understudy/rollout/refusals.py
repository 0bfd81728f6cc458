"""Orders that cannot be carried out: what, why, and what to do."""

from understudy.errors import Code, ConfigError
from understudy.rollout.minutes import Minutes
from understudy.rollout.state import Rollout


def refused(message: str) -> ConfigError:
    """The order does not fit what is now."""
    return ConfigError(Code.FAILED_PRECONDITION, message)


def check_configured(minutes: Minutes) -> None:
    """Refuses orders about a model that is not configured."""
    if minutes.situation.config is None:
        raise ConfigError(Code.NOT_FOUND, f"There is no model {minutes.situation.model}.")


def check_ready(minutes: Minutes, rollout: Rollout, version: int) -> None:
    """Refuses orders after which a version that is not ready would answer."""
    if not minutes.situation.is_ready(version):
        raise refused(
            f"Version {version} of {rollout.model} is not ready, so it cannot answer; see "
            "`understudy versions`."
        )


def where(rollout: Rollout) -> str:
    """Where it is, in a few words."""
    pause = "" if rollout.pause is None else f", paused ({rollout.pause.value})"
    return f"{rollout.phase.value}{pause}"
