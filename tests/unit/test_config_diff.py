"""A configuration is taken whole or refused whole, in TensorFlow Serving's words where it has any."""

import pytest

from understudy.errors import Code, ConfigError
from understudy.model_config import ConfigDiff, Latest, ModelConfig, ServerConfig, diff, validate

A = ModelConfig("a", "/models/a")
B = ModelConfig("b", "/models/b")


def server(*models: ModelConfig) -> ServerConfig:
    return ServerConfig(models)


def refusal(*models: ModelConfig) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(server(*models))
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_what_is_added_removed_and_changed_is_told_apart() -> None:
    moved = ModelConfig("a", "/elsewhere/a")
    new = ModelConfig("c", "s3://bucket/c")
    assert diff(server(A, B), server(moved, new)) == ConfigDiff((new,), ("b",), (moved,))


def test_an_equal_configuration_differs_in_nothing() -> None:
    assert diff(server(A, B), server(A, B)) == ConfigDiff((), (), ())


def test_an_empty_configuration_removes_everything() -> None:
    assert diff(server(A, B), server()) == ConfigDiff((), ("a", "b"), ())


def test_a_model_may_be_listed_once() -> None:
    assert refusal(A, A) == "Illegal to list model a multiple times in config list"


@pytest.mark.parametrize("path", ["", "models/m", "s3:/x", "://x", "1s://x", "./m"])
def test_a_base_path_is_absolute_or_a_uri(path: str) -> None:
    expected = f"Expected model m to have an absolute path or URI; got base_path()={path}"
    assert refusal(ModelConfig("m", path)) == expected


@pytest.mark.parametrize("path", ["/", "/models/m", "s3://bucket/m", "gs://b", "h2.x://y"])
def test_absolute_paths_and_uris_are_taken(path: str) -> None:
    validate(server(ModelConfig("m", path)))


def test_an_unknown_platform_is_refused_by_name() -> None:
    assert refusal(ModelConfig("m", "/m", platform="caffe")) == "Model m requests unsupported platform caffe"


def test_a_platform_that_the_server_was_given_is_taken() -> None:
    synthetic = server(ModelConfig("m", "/m", platform="synthetic"))
    validate(synthetic, platforms={"tensorflow", "synthetic"})
    assert diff(server(), synthetic, platforms={"synthetic"}).added == synthetic.models


def test_a_models_platform_cannot_change_and_that_is_said_before_that_it_is_unknown() -> None:
    with pytest.raises(ConfigError) as caught:
        diff(server(A), server(ModelConfig("a", "/models/a", platform="caffe")))
    assert caught.value.message == (
        "Illegal to change a model's platform. For model a platform was tensorflow "
        "and new platform requested is caffe"
    )


def test_a_model_that_was_away_may_come_back_with_another_platform() -> None:
    other = server(ModelConfig("a", "/models/a", platform="other"))
    assert diff(server(B), other, platforms={"other"}).added == other.models


def test_a_model_needs_a_name() -> None:
    assert refusal(ModelConfig("", "/models/m")).startswith("a model without a name")


def test_latest_needs_a_count_of_at_least_one() -> None:
    assert refusal(ModelConfig("m", "/m", version_policy=Latest(0))).startswith(
        "model m asks for the latest 0"
    )


def test_a_later_fault_refuses_what_was_good_before_it() -> None:
    with pytest.raises(ConfigError):
        diff(server(A), server(A, B, ModelConfig("c", "relative")))
