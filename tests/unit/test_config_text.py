"""Text and bytes of TensorFlow Serving's model configuration: what is taken, what is refused, and where."""

import string
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.config_message import build_message, new_message, parse_message, parse_wire
from understudy.config_text import (
    CONFIG_BYTES_MAX,
    format_config,
    parse_config_text,
    read_changed_config,
    read_startup_config,
)
from understudy.errors import Code, ConfigError
from understudy.model_config import (
    All,
    Latest,
    ModelConfig,
    ServerConfig,
    Specific,
    Transition,
    VersionPolicy,
)
from understudy.wire import descriptor_pool

TWO_MODELS = """
# The models of the shop.
model_config_list: {
  config <
    name: "search" base_path: "/models/search" model_platform: "tensorflow"
    model_version_policy { specific { versions: 4 versions: 2 versions: 4 } }
    version_labels { key: 'stable' value: 2 }
    version_labels { key: 'canary' value: 4 }
  >
  config {
    name: "ads"; base_path: "s3://bucket/ads"; model_type: TENSORFLOW;
    model_version_policy { all {} }
  }
}
"""


def model_text(fields: str) -> str:
    return f'model_config_list {{ config {{ name: "m" base_path: "/m" {fields} }} }}'


def parse_one(fields: str) -> ModelConfig:
    config = parse_config_text(model_text(fields))
    assert config is not None
    (model,) = config.models
    return model


def refusal(text: str, path: str | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config_text(text, path=path)
    return caught.value


def test_a_list_of_models_becomes_a_configuration_sorted_by_name() -> None:
    assert parse_config_text(TWO_MODELS) == ServerConfig(
        models=(
            ModelConfig(name="ads", base_path="s3://bucket/ads", version_policy=All()),
            ModelConfig(
                name="search",
                base_path="/models/search",
                version_policy=Specific(versions=(2, 4)),
                labels=(("canary", 4), ("stable", 2)),
            ),
        )
    )


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ("", Latest(1)),
        ("model_version_policy {}", Latest(1)),
        ("model_version_policy { latest {} }", Latest(1)),
        ("model_version_policy { latest { num_versions: 0 } }", Latest(1)),
        ("model_version_policy { latest { num_versions: 3 } }", Latest(3)),
        ("model_version_policy { all {} }", All()),
        ("model_version_policy { specific {} }", Specific(())),
        ("model_version_policy { specific { versions: [9, -1] } }", Specific((-1, 9))),
    ],
)
def test_a_version_policy_says_which_versions_should_live(fields: str, policy: VersionPolicy) -> None:
    assert parse_one('model_platform: "tensorflow" ' + fields).version_policy == policy


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "",
            (
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                "ModelServerConfig::model_platform, model name is m"
            ),
        ),
        (
            'model_type: TENSORFLOW model_platform: "tensorflow"',
            (
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                "ModelServerConfig::model_platform, model name is m"
            ),
        ),
        ("model_type: OTHER", "ModelServerConfig::model_type choice 2 not supported."),
        ('model_platform: "caffe"', "Model m requests unsupported platform caffe"),
    ],
)
def test_a_model_that_cannot_be_taken_is_refused_by_name(fields: str, message: str) -> None:
    error = refusal(model_text(fields))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, message)


def test_the_place_of_a_refused_model_is_where_its_message_begins() -> None:
    text = TWO_MODELS.replace("model_type: TENSORFLOW", 'model_platform: "{"')
    error = refusal(text, "/etc/models.config")
    assert (error.line, error.column) == (10, 10)
    assert str(error) == "Model ads requests unsupported platform { (/etc/models.config:10:10)"


def test_braces_in_strings_and_comments_do_not_move_the_place() -> None:
    text = """model_config_list { # {{{ "
  config: [ { name: "a}}\\"{" base_path: '{' model_platform: "tensorflow" },
            { base_path: "/b" } ]
}"""
    error = refusal(text)
    assert error.message.startswith("A model has no name")
    assert (error.line, error.column) == (3, 13)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('model_config_list {\n  config { nme: "m" } }', 2, 12, 'has no field named "nme"'),
        ("model_config_list { config {", 1, 28, "Expected"),
        ("model_config_list {} custom_model_config {}", 1, 22, "another member of oneof"),
        ("model_config_list {}\nmodel_config_list {}", 2, 19, "should not have multiple"),
        (model_text('name: "again"'), 1, 62, 'should not have multiple "name" fields'),
        (model_text("model_version_policy {\nlatest {}\nall {}\n}"), 3, 1, "another member of oneof"),
        (model_text("version_labels { key: 'a' value: 9223372036854775808 }"), 1, 89, "out of range"),
        (model_text("model_version_policy { latest { num_versions: -1 } }"), 1, 102, "out of range"),
        ("{" * 100_000, 1, 1, "Expected identifier"),
    ],
)
def test_text_that_does_not_parse_is_refused_with_its_place(
    text: str, line: int, column: int, words: str
) -> None:
    error = refusal(text, "/etc/models.config")
    assert error.code is Code.INVALID_ARGUMENT
    assert str(error).startswith("Invalid protobuf file: '/etc/models.config': ")
    assert str(error).endswith(f" (/etc/models.config:{error.line}:{error.column})")
    assert words in error.message
    assert len(error.message) < 500
    assert (error.line, error.column) == (line, column)


def test_a_custom_configuration_is_refused() -> None:
    error = refusal("custom_model_config {}", "/etc/models.config")
    assert str(error) == "ModelServer does not yet support custom model config. (/etc/models.config)"


def test_messages_nested_without_end_are_refused() -> None:
    inner = "custom_model_config { [type.googleapis.com/tensorflow.serving.ModelServerConfig] { "
    assert refusal(inner * 5000 + " }}" * 5000).code is Code.INVALID_ARGUMENT


@given(st.text(max_size=200) | st.text(alphabet='model_config_list{}<>[]:"\\#\n 1', max_size=200))
@settings(deadline=None)
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        parse_config_text(text)
    except ConfigError as error:
        assert error.code is Code.INVALID_ARGUMENT  # noqa: PT017 - most texts are refused, some are not


def test_a_text_that_says_nothing_starts_a_server_without_models_but_never_empties_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "models.config"
    file.write_text("# later\n\n")
    assert read_startup_config(str(file)) == ServerConfig()
    with pytest.raises(ConfigError) as caught:
        read_changed_config(str(file))
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert caught.value.message.startswith("Cannot transition to requested config.")
    file.write_text("model_config_list {}")
    assert read_changed_config(str(file)) == ServerConfig()


@pytest.mark.parametrize("read", [read_startup_config, read_changed_config])
def test_an_empty_file_is_one_that_is_still_being_written(
    tmp_path: Path, read: Callable[[str], ServerConfig]
) -> None:
    file = tmp_path / "models.config"
    file.touch()
    with pytest.raises(ConfigError, match="the file is empty") as caught:
        read(str(file))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_startup_config(str(tmp_path / "gone"))
    assert caught.value.code is Code.NOT_FOUND
    assert (
        str(caught.value) == f"Cannot read the model config file '{tmp_path}/gone': No such file or directory"
    )
    with pytest.raises(ConfigError, match="Is a directory"):
        read_startup_config(str(tmp_path))


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_bytes(b"model_config_list {\n  \xff }")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_startup_config(str(file))
    assert (caught.value.line, caught.value.column) == (2, 3)


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_bytes(b" " * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="larger than"):
        read_startup_config(str(file))


versions = st.integers(min_value=-(2**63), max_value=2**63 - 1)
policies = st.one_of(
    st.builds(Latest, st.integers(min_value=1, max_value=2**32 - 1)),
    st.just(All()),
    st.builds(lambda found: Specific(tuple(sorted(found))), st.sets(versions, max_size=5)),
)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(string.printable, min_size=1)
models = st.builds(
    ModelConfig,
    name=names,
    base_path=st.text(st.characters(codec="utf-8"), max_size=20),
    version_policy=policies,
    labels=st.dictionaries(names, versions, max_size=4).map(lambda found: tuple(sorted(found.items()))),
)
configs = st.lists(models, max_size=4, unique_by=lambda model: model.name).map(
    lambda found: ServerConfig(models=tuple(sorted(found, key=lambda model: model.name)))
)


@given(configs)
@settings(deadline=None)
def test_a_configuration_survives_text_and_bytes(config: ServerConfig) -> None:
    assert parse_config_text(format_config(config)) == config
    assert parse_wire(build_message(config).SerializeToString()) == config


@given(
    configs,
    st.sampled_from(["  config {", "  config: {", "  ,config {", "  # } {\n  config {", "  config <"]),
)
@settings(deadline=None)
def test_a_text_means_what_protobuf_reads_in_it(config: ServerConfig, begin: str) -> None:
    """Although its models are parsed one by one where that is the same."""
    text = format_config(config).replace("  config {", begin)
    if begin.endswith("<"):
        text = text.replace("\n  }", "\n  >")
    message = new_message()
    try:
        text_format.Parse(text, message, descriptor_pool=descriptor_pool())
    except text_format.ParseError:
        with pytest.raises(ConfigError):
            parse_config_text(text)
    else:
        assert parse_config_text(text) == parse_message(message) == config


@pytest.mark.parametrize(
    "text",
    [
        'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } } }',
        'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } > }',
        'model_config_list { config { name: "a" base_path: "/a } model_platform: "tensorflow" } }',
        'model_config_list { config { name: "a" } config } }',
        "model_config_list { config \0 }",
        "model_config_list { config { } ",
        "model_config_list { } model_config_list { }",
    ],
)
def test_a_text_with_a_bracket_or_quote_astray_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_config_text(text)


@given(configs)
@settings(deadline=None)
def test_a_configuration_reads_as_protobuf_writes_it(config: ServerConfig) -> None:
    """Although it is put together from models that are each written once."""
    assert format_config(config) == text_format.MessageToString(
        build_message(config), descriptor_pool=descriptor_pool()
    )


def test_equal_configurations_read_equal() -> None:
    config = parse_config_text(TWO_MODELS)
    assert config is not None
    text = format_config(config)
    assert text.index('"ads"') < text.index('"search"')
    assert text.index('"canary"') < text.index('"stable"')
    assert "versions: 2\n" in text
    assert format_config(ServerConfig()) == "model_config_list {\n}\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Only ModelConfigList is currently supported"),
        (b"\xff\xff", "no ModelServerConfig message"),
        (b"\x12\x00", "Only ModelConfigList is currently supported"),
        (b"\x0a\x02\x0a\x00", "A model has no name"),
    ],
)
def test_bytes_that_are_no_list_of_models_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_wire(data)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_model_may_choose_its_transition_policy_beside_its_version_policy() -> None:
    text = (
        'model_config_list { config { name: "m" base_path: "/m" model_platform: "tensorflow" '
        "model_version_policy { latest { num_versions: 2 } transition_policy: RESOURCE_PRESERVING } } }"
    )
    config = parse_config_text(text)
    assert config is not None
    (model,) = config.models
    assert (model.version_policy, model.transition) == (Latest(2), Transition.RESOURCE_PRESERVING)
    assert parse_config_text(format_config(config)) == config
    assert "transition_policy: RESOURCE_PRESERVING" in format_config(config)


def test_a_transition_policy_that_does_not_exist_is_refused_with_its_place() -> None:
    text = (
        'model_config_list {\n  config { name: "m" base_path: "/m" model_platform: "tensorflow"\n'
        "    model_version_policy { transition_policy: 7 } }\n}\n"
    )
    with pytest.raises(ConfigError, match="transition_policy 7 of model m is not known"):
        parse_config_text(text)
