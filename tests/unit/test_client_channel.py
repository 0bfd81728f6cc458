"""The channel arguments of the clients, and whose win."""

from understudy.client.channel import Tls, build_options


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
