"""Which wishes for request logs can be fulfilled, how they are written in a configuration, who refuses what."""

import math

import pytest

from understudy.config_message import build_message, parse_wire
from understudy.config_text import format_config, parse_config_text
from understudy.control.judging import Judge
from understudy.control.picture import Picture
from understudy.errors import Code, ConfigError
from understudy.model_config import ModelConfig, ServerConfig, diff, validate
from understudy.request_logging import LOGGED_MODELS_MAX, PREFIX_BYTES_MAX, RequestLogging, find_fault


def text(logging_config: str) -> str:
    model = f'name: "m" base_path: "/m" model_platform: "tensorflow" logging_config {{ {logging_config} }}'
    return f"model_config_list {{ config {{ {model} }} }}"


def parsed(logging_config: str) -> RequestLogging | None:
    config = parse_config_text(text(logging_config))
    assert config is not None
    return config.models[0].logging


def refusal(logging_config: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config_text(text(logging_config))
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message.removeprefix("Requests of model m cannot be logged: ")


def logged(name: str, prefix: str) -> ModelConfig:
    return ModelConfig(name, "/m", logging=RequestLogging(prefix, 0.5))


@pytest.mark.parametrize(
    ("logging_config", "expected"),
    [
        ("sampling_config { sampling_rate: 0.25 }", RequestLogging("m", 0.25)),
        (
            'log_collector_config { type: "tfrecord" filename_prefix: "a/b" } sampling_config { sampling_rate: 1 }',
            RequestLogging("a/b", 1.0),
        ),
        ('log_collector_config { filename_prefix: "x y" }', RequestLogging("x y", 0.0)),
        ("", RequestLogging("m", 0.0)),
    ],
)
def test_a_logging_config_says_where_and_how_many(logging_config: str, expected: RequestLogging) -> None:
    assert parsed(logging_config) == expected


@pytest.mark.parametrize(
    ("logging_config", "message"),
    [
        (
            "sampling_config { sampling_rate: 1.5 }",
            "sampling_rate 1.5 is no share of the requests; shares go from 0 to 1",
        ),
        (
            "sampling_config { sampling_rate: nan }",
            "sampling_rate nan is no share of the requests; shares go from 0 to 1",
        ),
        (
            'log_collector_config { type: "kafka" }',
            "log_collector_config's type kafka is not known; known is tfrecord",
        ),
        (
            'custom_logging_config { type_url: "x/y" }',
            "custom_logging_config asks for code that this server does not have; use log_collector_config",
        ),
        (
            "sampling_config { attributes: 1 }",
            "sampling_config's attributes are not known: requests here carry no origin and no criticality",
        ),
        (
            "sampling_config { per_task_sampling_configs { sampling_rate: 1 } }",
            "per_task_sampling_configs are for the tasks of a cluster; set sampling_rate",
        ),
        (
            'log_collector_config { filename_prefix: "/etc/m" }',
            "filename_prefix /etc/m is absolute; it is seen from the server's --request_log_dir, "
            "so write the part below that",
        ),
        (
            'log_collector_config { filename_prefix: "a/../../m" }',
            "filename_prefix a/../../m has an empty part, a . or a .. in it, so it could leave the directory",
        ),
    ],
)
def test_what_cannot_be_fulfilled_is_refused_with_the_reason(logging_config: str, message: str) -> None:
    assert refusal(logging_config) == message


@pytest.mark.parametrize("prefix", ["", ".", "..", "a//b", "a/", "./a", "a/.", "a\nb", "a\0b", "a\x7fb"])
def test_a_prefix_names_a_place_inside_the_directory(prefix: str) -> None:
    assert find_fault(RequestLogging(prefix, 1.0)) is not None


def test_a_prefix_may_be_as_long_as_a_files_name_allows() -> None:
    assert find_fault(RequestLogging("é" * (PREFIX_BYTES_MAX // 2), 1.0)) is None
    assert find_fault(RequestLogging("a" + "é" * (PREFIX_BYTES_MAX // 2), 1.0)) is not None


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.inf, math.nan])
def test_a_share_is_from_nothing_to_all(rate: float) -> None:
    assert find_fault(RequestLogging("m", rate)) is not None


def test_what_is_written_reads_as_it_was() -> None:
    config = ServerConfig((logged("a", "x/a"), ModelConfig("b", "/b")))
    assert parse_config_text(format_config(config)) == config
    assert parse_wire(build_message(config).SerializeToString()) == config


def test_two_models_do_not_share_a_prefix() -> None:
    with pytest.raises(ConfigError, match="Models a and b log requests under the same filename_prefix x"):
        validate(ServerConfig((logged("a", "x"), logged("b", "x"))))


def test_no_more_models_are_logged_than_there_may_be_files_open() -> None:
    models = [logged(f"m{number}", f"x{number}") for number in range(LOGGED_MODELS_MAX + 1)]
    validate(ServerConfig(tuple(models[1:])))
    with pytest.raises(ConfigError, match="257 models set logging_config; at most 256"):
        validate(ServerConfig(tuple(models)))


def test_a_change_of_what_is_logged_is_a_change_of_the_model() -> None:
    before, after = ServerConfig((logged("a", "x"),)), ServerConfig((logged("a", "y"),))
    assert diff(before, after).changed == after.models
    assert diff(before, before).changed == ()


def test_a_server_without_a_place_to_log_to_refuses_in_tensorflow_servings_words() -> None:
    config = ServerConfig((ModelConfig("a", "/a"), logged("b", "b")))
    with pytest.raises(ConfigError) as caught:
        Judge(platforms=frozenset({"tensorflow"})).judge(Picture(), config, {})
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message.startswith("No request-logger-creator provided. Model b sets logging_config")
    judge = Judge(platforms=frozenset({"tensorflow"}), may_log_requests=True)
    assert judge.judge(Picture(), config, {}).added == config.models
