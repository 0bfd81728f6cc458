"""Signals on their way to the main thread: none is lost, whoever receives it and however close they come."""

import os
import signal
import threading

import pytest

from understudy.server.inbox import MainInbox, Message, ReloadAsked, StopAsked

ROUNDS = 20
TIMEOUT_S = 10


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (signal.SIGHUP, ReloadAsked()),
        (signal.SIGTERM, StopAsked(signal.SIGTERM)),
        (signal.SIGINT, StopAsked(signal.SIGINT)),
    ],
)
def test_a_signal_that_another_thread_receives_is_taken(number: signal.Signals, message: Message) -> None:
    inbox = MainInbox()
    with inbox.signals():
        receiver = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number))
        receiver.start()
        assert inbox.next(TIMEOUT_S) == message
        receiver.join()


def test_a_signal_right_behind_another_is_not_lost() -> None:
    inbox = MainInbox()
    may_send = threading.Semaphore(0)

    def send() -> None:
        for _ in range(ROUNDS):
            may_send.acquire()
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    with inbox.signals():
        for number in range(ROUNDS):
            may_send.release()
            seen = {type(inbox.next(TIMEOUT_S)), type(inbox.next(TIMEOUT_S))}
            assert seen == {ReloadAsked, StopAsked}, number
    sender.join()


def test_handlers_are_what_they_were_when_the_inbox_takes_no_more_signals() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)
    with MainInbox().signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)) == before
