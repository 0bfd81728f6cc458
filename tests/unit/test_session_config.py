"""Files that say how TensorFlow's sessions are set up: read whole, refused with the place, under the flags."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from understudy.errors import Code, ConfigError
from understudy.message_file import FILE_BYTES_MAX
from understudy.session_config import SessionOverrides, build_session_config, read_session_config
from understudy.wire import descriptor_pool, message_class

ROOT = "tensorflow.ConfigProto"
OF_REQUESTS = {"tensorflow.TensorProto", "tensorflow.TensorShapeProto", "tensorflow.DataType"}
"""What an optimizer's parameter may also be, in theory. Requests have it, too, and other tests check it."""

FIELDS_SCRIPT = """
import json
from google.protobuf.descriptor import FieldDescriptor
from tensorflow.core.protobuf import config_pb2
from tests.unit.test_session_config import describe
print(json.dumps(describe(config_pb2.ConfigProto.DESCRIPTOR), sort_keys=True))
"""


def describe(root: Descriptor) -> dict[str, dict[str, list[object]]]:
    """Every field, by name, of a message and all that it contains; values of enums beside them."""
    found: dict[str, dict[str, list[object]]] = {}
    waiting = [root]
    while waiting:
        message = waiting.pop()
        if message.full_name in found.keys() | OF_REQUESTS:
            continue
        found[message.full_name] = {field.name: _describe_field(field) for field in message.fields}
        waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return found


def _describe_field(field: FieldDescriptor) -> list[object]:
    kind = field.message_type.full_name if field.message_type is not None else ""
    return [field.number, field.type, field.is_repeated, kind, _describe_enum(field.enum_type)]


def _describe_enum(enum: EnumDescriptor | None) -> list[object]:
    return (
        []
        if enum is None or enum.full_name in OF_REQUESTS
        else [*sorted((value.name, value.number) for value in enum.values)]
    )


@pytest.mark.tensorflow
@pytest.mark.slow
def test_every_field_of_the_message_is_tensorflows_with_its_number_and_type() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FIELDS_SCRIPT], capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout)
    ours = json.loads(json.dumps(describe(descriptor_pool().FindMessageTypeByName(ROOT))))
    assert len(ours) > 20
    assert ours == theirs


def read(tmp_path: Path, text: str | bytes) -> str:
    """What comes of a file, as text."""
    file = tmp_path / "session.config"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return show(read_session_config(str(file)))


def show(serialized: bytes) -> str:
    message = message_class(ROOT).FromString(serialized)
    return text_format.MessageToString(message, as_one_line=True, descriptor_pool=descriptor_pool())


FILES = [
    "intra_op_parallelism_threads: 4 inter_op_parallelism_threads: 2",
    "gpu_options { per_process_gpu_memory_fraction: 0.5 allow_growth: true }",
    "graph_options { optimizer_options { global_jit_level: ON_1 } }",
    'graph_options { rewrite_options { custom_optimizers { name: "X" parameter_map { key: "k" value { s: "v" } } } } }',
    'device_count { key: "CPU" value: 2 } allow_soft_placement: true',
    'session_inter_op_thread_pool { num_threads: 2 global_name: "low" }',
    "experimental { optimize_for_static_graph: true mlir_bridge_rollout: MLIR_BRIDGE_ROLLOUT_DISABLED }",
]


@pytest.mark.parametrize("text", FILES)
def test_a_file_is_read_whole(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"# a comment\n{text}\n") == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("intra_op_threads: 4", "has no field named"),
        ("gpu_options { allow_growth: maybe }", "1:29"),
        ("graph_options {", "Expected"),
        (b"\xff", "the text is not UTF-8"),
        (b"", "the file is empty"),
        ("#" * (FILE_BYTES_MAX + 1), "it is larger than 1048576 bytes"),
        ("graph_options { " * 2_000, ""),
    ],
)
def test_what_is_no_config_is_refused_in_tensorflow_servings_words(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert str(caught.value).startswith(f"Invalid protobuf file: '{tmp_path}/session.config'")
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_session_config(str(tmp_path / "nowhere"))
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (SessionOverrides(), "intra_op_parallelism_threads: 4 gpu_options { allow_growth: true }"),
        (
            SessionOverrides(intra_op_threads=0, inter_op_threads=3),
            "inter_op_parallelism_threads: 3 gpu_options { allow_growth: true }",
        ),
        (
            SessionOverrides(gpu_memory_fraction=0.25),
            (
                "intra_op_parallelism_threads: 4 "
                "gpu_options { per_process_gpu_memory_fraction: 0.25 allow_growth: true }"
            ),
        ),
        (
            SessionOverrides(bfloat16=True),
            (
                "intra_op_parallelism_threads: 4 gpu_options { allow_growth: true } "
                "graph_options { rewrite_options { auto_mixed_precision_onednn_bfloat16: ON } }"
            ),
        ),
    ],
)
def test_flags_are_put_over_the_file_and_leave_the_rest(overrides: SessionOverrides, expected: str) -> None:
    base = message_class(ROOT)()
    text_format.Parse("intra_op_parallelism_threads: 4 gpu_options { allow_growth: true }", base)
    assert show(build_session_config(base.SerializeToString(), overrides)) == expected
