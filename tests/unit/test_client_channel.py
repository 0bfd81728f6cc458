"""The channel arguments of the clients, and whose win; what an answer's metadata say."""

import pytest

from understudy.client import Served
from understudy.client.channel import Tls, build_options, build_reply
from understudy.client.exchange import Reply

ARM, ID = ("x-understudy-arm", "candidate; reason=sticky"), ("x-request-id", "order/42")


def test_a_socket_s_path_is_not_told_as_the_server_s_name() -> None:
    assert dict(build_options("unix:/run/grpc.sock", None, {}))["grpc.default_authority"] == "localhost"
    assert "grpc.default_authority" not in dict(build_options("localhost:8500", None, {}))


def test_the_name_that_a_certificate_must_have_can_be_said() -> None:
    options = dict(build_options("10.0.0.1:8500", Tls(server_name="models.example"), {}))
    assert options["grpc.ssl_target_name_override"] == "models.example"


def test_the_caller_s_own_arguments_win() -> None:
    options = dict(
        build_options("localhost:8500", None, {"grpc.enable_retries": 1, "grpc.lb_policy_name": "x"})
    )
    assert options["grpc.enable_retries"] == 1
    assert options["grpc.lb_policy_name"] == "x"
    assert options["grpc.max_receive_message_length"] == (1 << 31) - 1


@pytest.mark.parametrize(
    ("metadata", "served"),
    [
        (None, None),
        ((), None),
        ((("content-type", "application/grpc"), ("x-bin", b"1")), None),
        ((ARM,), Served("candidate", "sticky")),
        ((ID,), Served(None, None, "order/42")),
        ((ARM, ID), Served("candidate", "sticky", "order/42")),
        ((("x-understudy-arm", "candidate"),), None),
        ((("x-understudy-arm", "candidate"), ID), Served(None, None, "order/42")),
        ((("x-request-id", ""),), None),
    ],
)
def test_a_reply_says_arm_and_reason_or_an_id_or_both_as_the_server_does(
    metadata: tuple[tuple[str, str | bytes], ...] | None, served: Served | None
) -> None:
    assert build_reply(b"answer", metadata) == Reply(b"answer", served)
