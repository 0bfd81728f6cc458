"""What the drop-in command's flags for TensorFlow Lite become."""

from tests.unit.test_tensorflow_model_server import MODEL, Served
from understudy.server_options import LiteRtSettings


def test_tensorflow_lite_is_preferred_when_asked_for_and_its_pools_are_interpreters() -> None:
    assert Served(MODEL).only.litert == LiteRtSettings()
    asked = Served(
        MODEL, "--prefer_tflite_model", "--num_tflite_pools=3", "--num_tflite_interpreters_per_pool=4"
    )
    assert asked.only.litert == LiteRtSettings(is_preferred=True, interpreters=3)
