"""`--grpc_channel_arguments`: what means something here, what does not, what is refused."""

import pytest

from understudy.cli.channel_arguments import ChannelArgumentError, parse_channel_arguments
from understudy.dataplane.options import GrpcOptions

NEVER = 2**31 - 1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", GrpcOptions()),
        ("grpc.max_connection_age_ms=1000", GrpcOptions(age_max_ms=1_000)),
        (f"grpc.max_connection_age_ms={NEVER}", GrpcOptions(age_max_ms=None)),
        ("grpc.max_connection_age_grace_ms=0", GrpcOptions(age_grace_ms=0)),
        ("grpc.max_connection_idle_ms=5", GrpcOptions(idle_max_ms=5)),
        ("grpc.keepalive_time_ms=10000", GrpcOptions(ping_interval_ms=10_000)),
        (f"grpc.keepalive_time_ms={NEVER}", GrpcOptions(ping_interval_ms=None)),
        ("grpc.keepalive_timeout_ms=7", GrpcOptions(ping_timeout_ms=7)),
        ("grpc.max_concurrent_streams=100", GrpcOptions(streams_max=100)),
        (f"grpc.max_concurrent_streams={NEVER}", GrpcOptions(streams_max=65_536)),
        ("grpc.max_receive_message_length=4194304", GrpcOptions(message_bytes_max=4_194_304)),
        ("grpc.max_receive_message_length=-1", GrpcOptions(message_bytes_max=None)),
        ("grpc.max_metadata_size=8192", GrpcOptions(header_bytes_max=16_384)),
        ("grpc.max_metadata_size=20000", GrpcOptions(header_bytes_max=25_000)),
        ("grpc.absolute_max_metadata_size=4096", GrpcOptions(header_bytes_max=4_096)),
        (f"grpc.absolute_max_metadata_size={NEVER}", GrpcOptions(header_bytes_max=1_048_576)),
        ("grpc.max_metadata_size=1,grpc.absolute_max_metadata_size=9", GrpcOptions(header_bytes_max=9)),
        ("grpc.max_connection_idle_ms=5,grpc.max_connection_idle_ms=6", GrpcOptions(idle_max_ms=6)),
        (
            "grpc.max_connection_age_ms=1, grpc.max_concurrent_streams = 2",
            GrpcOptions(age_max_ms=1, streams_max=2),
        ),
    ],
)
def test_an_argument_with_a_meaning_here_is_honoured(text: str, options: GrpcOptions) -> None:
    parsed = parse_channel_arguments(text)
    assert parsed.options == options
    assert parsed.without_effect == ()


def test_others_have_no_effect_and_each_says_so() -> None:
    parsed = parse_channel_arguments("grpc.so_reuseport=1,grpc.lb_policy_name=pick=first,anything=x")
    assert parsed.options == GrpcOptions()
    assert [name for name, _ in parsed.without_effect] == [
        "grpc.so_reuseport",
        "grpc.lb_policy_name",
        "anything",
    ]
    assert all(reason for _, reason in parsed.without_effect)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("grpc.so_reuseport", "'grpc.so_reuseport' is not of the form name=value"),
        ("grpc.so_reuseport=1,", "'' is not of the form name=value"),
        ("=1", "'=1' is not of the form name=value"),
        ("grpc.max_connection_age_ms=soon", "grpc.max_connection_age_ms=soon is no integer from 1 to"),
        ("grpc.max_connection_age_ms=0", "is no integer from 1 to 2147483647"),
        ("grpc.max_connection_age_ms=2147483648", "is no integer from 1 to 2147483647"),
        ("grpc.max_connection_age_ms=" + "9" * 5_000, "is no integer"),
        ("grpc.max_receive_message_length=-2", "is no integer from -1 to"),
        ("grpc.max_metadata_size=big", "is no integer"),
        ("grpc.keepalive_time_ms=", "is no integer"),
        ("grpc.keepalive_time_ms=٣", "is no integer"),
    ],
)
def test_what_is_malformed_is_refused(text: str, part: str) -> None:
    with pytest.raises(ChannelArgumentError) as refused:
        parse_channel_arguments(text)
    assert part in str(refused.value)
