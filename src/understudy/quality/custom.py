"""Custom metrics: found by their entry point, loaded once."""

import importlib
from functools import lru_cache
from typing import Final

from understudy.errors import Code, ConfigError
from understudy.quality.prediction import MARK, Metric

LOADED_MAX: Final = 64
"""Functions that are kept loaded; one more is looked up again."""


@lru_cache(maxsize=LOADED_MAX)
def load_metric(entry_point: str) -> Metric:
    """The function that `module:function` names.

    Raises:
        ConfigError: there is none, or it is not marked as a metric.
    """
    module_name, colon, name = entry_point.partition(":")
    if not (module_name and colon and name.isidentifier()):
        raise _refusal(entry_point, "it must be module:function")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever an operator's module does when it is imported
        raise _refusal(
            entry_point, f"its module cannot be imported: {type(error).__name__}: {error}"
        ) from error
    function: Metric | None = getattr(module, name, None)
    if function is None:
        raise _refusal(entry_point, f"{module_name} has no {name}")
    if not getattr(function, MARK, False):
        raise _refusal(entry_point, "it is not marked; put @understudy.quality.quality_metric before it")
    return function


def _refusal(entry_point: str, reason: str) -> ConfigError:
    return ConfigError(Code.INVALID_ARGUMENT, f"the custom metric {entry_point!r} cannot be used: {reason}")
