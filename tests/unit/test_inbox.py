"""The main thread's inbox: signals reach it whichever thread the kernel handed them to."""

import signal
import threading

import pytest

from understudy.server.inbox import MainInbox, Message, ReloadAsked, StopAsked


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGHUP, ReloadAsked()),
        (signal.SIGTERM, StopAsked("SIGTERM")),
        (signal.SIGINT, StopAsked("SIGINT")),
    ],
)
@pytest.mark.slow
def test_a_signal_that_does_not_interrupt_the_wait_is_taken_all_the_same(
    number: signal.Signals, message: Message
) -> None:
    inbox = MainInbox()

    def receive() -> None:
        signal.pthread_kill(threading.get_ident(), number)

    with inbox.signals():
        other = threading.Timer(0.05, receive)  # by then the main thread waits
        other.start()
        taken = None
        while taken is None:
            taken = inbox.next()
        assert taken == message
        other.join()
