"""HandleReloadConfigRequest's messages: what is read of a request, and what an answer holds."""

import pytest
from google.protobuf import text_format

from understudy.errors import ConfigError
from understudy.reload_message import METRIC_NAMES_MAX, build_reload_response, parse_reload_request
from understudy.wire import descriptor_pool, message_class


def reload_request(*metric_names: str) -> bytes:
    message = message_class("tensorflow.serving.ReloadConfigRequest")()
    names = " ".join(f"metric_names: '{name}'" for name in metric_names)
    text_format.Parse(
        f"config {{ model_config_list {{}} }} {names}", message, descriptor_pool=descriptor_pool()
    )
    return message.SerializeToString()


def test_a_reload_request_names_each_metric_once_in_order() -> None:
    assert parse_reload_request(reload_request("b", "a", "b")).metric_names == ("b", "a")


def test_a_reload_request_with_too_many_metrics_is_refused() -> None:
    names = [str(number) for number in range(METRIC_NAMES_MAX + 1)]
    assert len(parse_reload_request(reload_request(*names[1:])).metric_names) == METRIC_NAMES_MAX
    with pytest.raises(ConfigError, match="names 1001 metrics"):
        parse_reload_request(reload_request(*names))


def test_bytes_that_are_no_reload_request_are_refused() -> None:
    with pytest.raises(ConfigError, match="no ReloadConfigRequest"):
        parse_reload_request(b"\xff")


def test_a_reload_response_says_by_how_much_each_metric_grew() -> None:
    response = message_class("tensorflow.serving.ReloadConfigResponse").FromString(
        build_reload_response({"a": 3, "b": 0})
    )
    expected = (
        'status { } metric { name: "a" int64_value_increase: 3 } metric { name: "b" int64_value_increase: 0 }'
    )
    assert " ".join(str(response).split()) == expected
