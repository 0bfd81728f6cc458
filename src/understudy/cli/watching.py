"""Waiting until a model shows what a command asked for, by asking the server again and again."""

import time
from collections.abc import Callable

from understudy.admin.view import ModelView
from understudy.cli.admin_client import ask_model

ASK_INTERVAL_S = 0.2


def wait_until(
    admin_url: str, model: str, is_over: Callable[[ModelView], bool], *, wait_s: float
) -> ModelView:
    """The model as it was when it was over, or when the time was up.

    Raises:
        NegativeAnswer: the server no longer has the model.
    """
    deadline = time.monotonic() + wait_s
    while not is_over(found := ask_model(admin_url, model)) and time.monotonic() < deadline:
        time.sleep(ASK_INTERVAL_S)
    return found
