"""Our messages beside tensorflow-serving-api's: one process, either import order, bytes between them."""

import subprocess
import sys

import pytest

from understudy.wire import descriptor_pool, message_class

OURS = """
from understudy.wire import message_class
Ours = message_class("tensorflow.serving.ModelServerConfig")
"""
THEIRS = """
from tensorflow_serving.apis import model_management_pb2, predict_pb2
from tensorflow_serving.config import model_server_config_pb2
Theirs = model_server_config_pb2.ModelServerConfig
"""
EXCHANGE = """
assert Ours is not Theirs
mine = Ours()
model = mine.model_config_list.config.add()
model.name = "digits"
model.base_path = "/models/digits"
model.model_platform = "tensorflow"
model.model_version_policy.specific.versions.extend([1, 2])
model.version_labels["stable"] = 1
other = Theirs.FromString(mine.SerializeToString())
assert str(other) == str(mine), (str(other), str(mine))
back = Ours.FromString(other.SerializeToString())
assert back == mine

reload = message_class("tensorflow.serving.ReloadConfigRequest").FromString(
    model_management_pb2.ReloadConfigRequest(config=other, metric_names=["m"]).SerializeToString())
assert reload.config == mine and list(reload.metric_names) == ["m"]

predict = message_class("tensorflow.serving.PredictRequest")()
predict.model_spec.name = "digits"
predict.model_spec.version.value = 7
predict.inputs["x"].float_val.append(1.5)
same = predict_pb2.PredictRequest.FromString(predict.SerializeToString())
assert same.model_spec.version.value == 7 and list(same.inputs["x"].float_val) == [1.5]
print("exchanged")
"""


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("imports", [OURS + THEIRS, THEIRS + OURS], ids=["ours-first", "theirs-first"])
def test_both_packages_live_in_one_process_and_exchange_messages(imports: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", imports + EXCHANGE], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "exchanged\n"


def test_the_default_pool_is_left_alone() -> None:
    script = OURS + (
        "from google.protobuf import descriptor_pool\n"
        "try: descriptor_pool.Default().FindMessageTypeByName('tensorflow.serving.ModelServerConfig')\n"
        "except KeyError: print('absent')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "absent\n"


def test_a_message_is_found_by_its_full_name_and_only_so() -> None:
    name = "tensorflow.serving.GetModelStatusResponse"
    assert message_class(name) is message_class(name)
    assert message_class(name).DESCRIPTOR.full_name == name
    with pytest.raises(KeyError):
        descriptor_pool().FindMessageTypeByName("tensorflow.serving.NoSuchMessage")
