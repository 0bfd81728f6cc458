"""TensorFlow Serving's model configuration as text, in files and out of them, with the place of each error.

What the fields mean is config_message.py's.
"""

import re
from functools import lru_cache

from google.protobuf import text_format
from google.protobuf.message import Message

from understudy.bounded_file import read_bounded
from understudy.config_message import (
    MODELS_REMEMBERED_MAX,
    ModelError,
    add_model,
    build_message,
    new_message,
    parse_message,
    which_config,
)
from understudy.errors import Code, ConfigError
from understudy.model_config import ModelConfig, ServerConfig
from understudy.wire import descriptor_pool

CONFIG_BYTES_MAX = 16 * 1024 * 1024
"""Of one configuration file: some hundred thousand models."""

REASON_CHARS_MAX = 400
"""Of a parser's reason; it may quote a whole line."""

_STRING_COMMENT_OR_BRACKET = re.compile(
    r"""
      "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'   # a string
    | \#[^\n]*                                    # a comment
    | [{}<>]                                      # a message begins or ends
    """,
    re.VERBOSE,
)
_MODEL_DEPTH = 2
"""A model is a message within `model_config_list` within the file."""

_MODEL = "\0"
_ONLY_MODELS = re.compile(rf"\s*model_config_list\s*:?\s*{{(?:\s*config\s*:?\s*{_MODEL}\s*[,;]?)*\s*}}\s*")
"""A text that is nothing but a list of models, each model's message cut out."""

_UNSET = (
    "Cannot transition to requested config. "
    "It is only legal to transition from one ModelConfigList to another."
)
_NO_CUSTOM_CONFIG = "ModelServer does not yet support custom model config."


def read_startup_config(path: str) -> ServerConfig:
    """The configuration that a server starts with.

    A file that holds only white space and comments stands for no models yet, as in TensorFlow Serving; an
    empty one is refused, as there: it is nearly always a file that is still being written.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when the file cannot be read; INVALID_ARGUMENT when it
            cannot be taken, with the place.
    """
    config = parse_config_text(_read(path), path=path)
    return ServerConfig() if config is None else config


def read_changed_config(path: str) -> ServerConfig:
    """The configuration of a file that a running server is to go over to.

    Raises:
        ConfigError: as `read_startup_config`, and FAILED_PRECONDITION when the file says nothing: that must
            not mean to unload everything, which is said by `model_config_list {}`.
    """
    config = parse_config_text(_read(path), path=path)
    if config is None:
        raise ConfigError(Code.FAILED_PRECONDITION, _UNSET, path=path)
    return config


def parse_config_text(text: str, *, path: str | None = None) -> ServerConfig | None:
    """The configuration that a text stands for; none when the text says nothing.

    Args:
        text: a ModelServerConfig in protobuf's text format.
        path: of the file that it was read from, for errors.

    Raises:
        ConfigError: INVALID_ARGUMENT, with the place.
    """
    if (plain := _parse_models(text)) is not None:
        return plain
    message = new_message()
    try:
        text_format.Parse(text, message, descriptor_pool=descriptor_pool())
    except text_format.ParseError as error:
        raise _invalid(path, _reason(error, text), line=error.GetLine(), column=error.GetColumn()) from error
    except RecursionError as error:
        raise _invalid(path, "it is nested too deeply") from error
    match which_config(message):
        case "model_config_list":
            return _parse_list(message, text, path)
        case "custom_model_config":
            raise ConfigError(Code.INVALID_ARGUMENT, _NO_CUSTOM_CONFIG, path=path)
        case _:
            return None


def format_config(config: ServerConfig) -> str:
    """The configuration as text: models by name, labels by label, so that equal ones read equal."""
    models = "".join(_format_model(model) for model in config.models)
    return f"model_config_list {{\n{models}}}\n"


@lru_cache(MODELS_REMEMBERED_MAX)
def _format_model(model: ModelConfig) -> str:
    """One model of the list, as protobuf would write it there."""
    alone = build_message(ServerConfig(models=(model,)))
    text = text_format.MessageToString(alone, descriptor_pool=descriptor_pool())
    return text.removeprefix("model_config_list {\n").removesuffix("}\n")


def _parse_models(text: str) -> ServerConfig | None:
    """The configuration of a text in the usual form, in which every model is right; none: parse it whole.

    Parsing text is slow, and a file that is read again says of nearly every model what it said before.
    """
    models = _cut_models(text)
    if models is None:
        return None
    try:
        parsed = [_parse_model(model) for model in models]
    except (text_format.ParseError, ModelError, RecursionError):
        return None
    return ServerConfig(models=tuple(sorted(parsed, key=lambda model: model.name)))


def _cut_models(text: str) -> list[str] | None:
    """What stands between each model's brackets; none when the text has something else in it, too."""
    models, between = [], []
    depth = begun = ended = 0
    for match in _STRING_COMMENT_OR_BRACKET.finditer(text):
        if match[0] == "{":
            depth += 1
            if depth == _MODEL_DEPTH:
                between.append(text[ended : match.start()])
                begun = match.end()
        elif match[0] == "}":
            if depth == _MODEL_DEPTH:
                models.append(text[begun : match.start()])
                ended = match.end()
            depth -= 1
    between.append(text[ended:])
    return models if _MODEL not in text and _ONLY_MODELS.fullmatch(_MODEL.join(between)) else None


@lru_cache(MODELS_REMEMBERED_MAX)
def _parse_model(text: str) -> ModelConfig:
    message = new_message()
    text_format.Parse(text, add_model(message), descriptor_pool=descriptor_pool())
    return parse_message(message).models[0]


def _parse_list(message: Message, text: str, path: str | None) -> ServerConfig:
    try:
        return parse_message(message)
    except ModelError as error:
        line, column = _model_place(text, error.index)
        raise ConfigError(
            Code.INVALID_ARGUMENT, error.message, path=path, line=line, column=column
        ) from error


def _model_place(text: str, index: int) -> tuple[int | None, int | None]:
    """Line and column where a model's message begins in a text that has been parsed."""
    depth = seen = 0
    for match in _STRING_COMMENT_OR_BRACKET.finditer(text):
        if match[0] in "{<":
            depth += 1
            if depth == _MODEL_DEPTH:
                if seen == index:
                    start = match.start()
                    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
                seen += 1
        elif match[0] in "}>":
            depth -= 1
    return None, None


def _read(path: str) -> str:
    data = read_bounded(path, CONFIG_BYTES_MAX, refusal=f"Cannot read the model config file '{path}'")
    if not data:
        raise _invalid(path, "the file is empty; for a server without models write `model_config_list {}`")
    if len(data) > CONFIG_BYTES_MAX:
        raise _invalid(path, f"it is larger than {CONFIG_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise _invalid(path, "the text is not UTF-8", line=line, column=column) from error


def _invalid(
    path: str | None, reason: str, *, line: int | None = None, column: int | None = None
) -> ConfigError:
    what = "Invalid model config" if path is None else f"Invalid protobuf file: '{path}'"
    return ConfigError(
        Code.INVALID_ARGUMENT, f"{what}: {reason[:REASON_CHARS_MAX]}", path=path, line=line, column=column
    )


def _reason(error: text_format.ParseError, text: str) -> str:
    """The parser's reason without the place and the line that it quotes: the place is told apart."""
    line, column = error.GetLine(), error.GetColumn()
    reason = str(error).removeprefix(f"{line}:{column} : ")
    if line is None:
        return reason
    quoted = text.split("\n")[line - 1]
    return reason.removeprefix(f"'{quoted}': ")
