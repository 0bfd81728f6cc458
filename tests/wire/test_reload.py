"""Reloads of a live server, by RPC with the real client and by the file: what is refused, what is waited for.

The rows are those of TensorFlow Serving's own behaviour: its checks in their order, and what a reload does.
Where Understudy does better on purpose the row says what it does instead.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

LABEL = 'version_labels {{ key: "{}" value: {} }}'
NO_LIST = (
    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
    "Only ModelConfigList is currently supported"
)
CUSTOM = 'custom_model_config { type_url: "type.googleapis.com/x" }'


class World:
    """A live server that serves model m, version 1, and one way to give it configurations."""

    def __init__(self, folder: Path, client: ServingClient, origin: str, *arguments: str) -> None:
        self._folder = folder
        self._client = client
        self._origin = origin
        self._exports: dict[str, Exports] = {}
        self.exports("m").synthetic(1)
        self.file = folder / "models.config"
        self.file.write_text(self.text("m"))
        self.server = LiveServer(f"--model-config-file={self.file}", "--load-retries=0", *arguments)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self.server.__exit__(None, None, None)

    def exports(self, name: str) -> Exports:
        if name not in self._exports:
            self._exports[name] = Exports(self._folder / name)
        return self._exports[name]

    def model(self, name: str, **more: str) -> str:
        return model_text(name, self.exports(name).base_path, **more)

    def text(self, *models: str) -> str:
        """A configuration; a word is a model of that name, anything else a model's text."""
        return config_text(*(self.model(each) if each.isidentifier() else each for each in models))

    def reload(self, text: str, *, timeout_s: float = 30) -> tuple[str, str]:
        """Code and text of the answer; of the file's, without the place."""
        if self._origin == "rpc":
            answer = self._client.call(
                self.server.grpc, "HandleReloadConfigRequest", f"config {{ {text}\n }}", timeout_s=timeout_s
            )
            return answer.code, answer.message
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.rename(self.file)
        self.server.signal(signal.SIGHUP)
        while True:
            line = self.server.next_log()
            if line.fields.get("event") in {"reloaded", "reload_refused"}:
                break
        reason = str(line.fields.get("reason", ""))
        code = "UNKNOWN" if reason and line.fields["level"] == "warning" else line.fields.get("code", "OK")
        return str(code), reason.partition(f" ({self.file}")[0]

    def answer(self, name: str, *, label: str = "") -> float | int:
        """What the model says to 0, or the status of a refusal."""
        path = f"{name}/labels/{label}" if label else name
        answer = requests.post(
            f"http://{self.server.rest}/v1/models/{path}:predict",
            json={"instances": [{"x": 0.0}]},
            timeout=30,
        )
        if answer.status_code != requests.codes.ok:
            return answer.status_code
        value: float = answer.json()["predictions"][0]["y"]
        return value

    def revision(self) -> int:
        status = requests.get(f"http://{self.server.admin}/v1/status", timeout=30)
        number: int = status.json()["config_revision"]
        return number


@pytest.fixture(params=["rpc", "file"])
def origin(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, serving_client: ServingClient, origin: str) -> Iterator[World]:
    with World(tmp_path, serving_client, origin) as world:
        yield world


@dataclass(frozen=True, slots=True)
class Row:
    """A configuration that is refused.

    Attributes:
        number: of the check in TensorFlow Serving's order.
        name: of the row.
        text: of the configuration.
        by_rpc: code and text of the answer to the RPC.
        by_file: of what the log says of the file; none: the same.
    """

    number: int
    name: str
    text: Callable[[World], str]
    by_rpc: tuple[str, str]
    by_file: tuple[str, str] | None = None


def other(**fields: str) -> str:
    """A model's text with these fields."""
    return "config { " + " ".join(f"{name}: {value}" for name, value in fields.items()) + " }"


INVALID = "INVALID_ARGUMENT"
BOTH = "ModelServerConfig::model_type (deprecated) {} ModelServerConfig::model_platform, model name is x"
ROWS = [
    Row(
        1, "unset", lambda _: "# nothing", (INVALID, NO_LIST),
        ("FAILED_PRECONDITION", "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another."),
    ),
    Row(1, "custom", lambda _: CUSTOM, (INVALID, NO_LIST), (INVALID, "ModelServer does not yet support custom model config.")),
    Row(3, "twice", lambda w: w.text("m", "m"), (INVALID, "Illegal to list model m multiple times in config list")),
    Row(
        4, "relative path", lambda w: w.text("m", other(name='"x"', base_path='"models/x"', model_platform='"synthetic"')),
        (INVALID, "Expected model x to have an absolute path or URI; got base_path()=models/x"),
    ),
    Row(
        4, "half a scheme", lambda w: w.text("m", other(name='"x"', base_path='"s3:/x"', model_platform='"synthetic"')),
        (INVALID, "Expected model x to have an absolute path or URI; got base_path()=s3:/x"),
    ),
    Row(
        4, "no path", lambda w: w.text("m", other(name='"x"', model_platform='"synthetic"')),
        (INVALID, "Expected model x to have an absolute path or URI; got base_path()="),
    ),
    Row(
        5, "another platform", lambda w: w.text(w.model("m", platform="tensorflow")),
        (INVALID, "Illegal to change a model's platform. For model m platform was synthetic and new platform requested is tensorflow"),
    ),
    Row(
        8, "no platform", lambda w: w.text("m", other(name='"x"', base_path='"/x"')),
        (INVALID, "Illegal setting neither " + BOTH.format("nor")),
    ),
    Row(
        8, "two platforms", lambda w: w.text("m", other(name='"x"', base_path='"/x"', model_platform='"tensorflow"', model_type="TENSORFLOW")),
        (INVALID, "Illegal setting both " + BOTH.format("and")),
    ),
    Row(
        8, "another type", lambda w: w.text("m", other(name='"x"', base_path='"/x"', model_type="OTHER")),
        (INVALID, "ModelServerConfig::model_type choice 2 not supported."),
    ),
    Row(
        9, "unknown platform", lambda w: w.text("m", other(name='"x"', base_path='"/x"', model_platform='"caffe"')),
        (INVALID, "Model x requests unsupported platform caffe"),
    ),
    Row(
        11, "logging", lambda w: w.text("m", other(name='"x"', base_path='"/x"', model_platform='"synthetic"') [:-1] + "logging_config {} }"),
        (INVALID, "No request-logger-creator provided. Model x sets logging_config, but the server was not started with --request_log_dir (understudy serve: --request-log-dir), so there is no place to log requests to"),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def steady(
    tmp_path_factory: pytest.TempPathFactory, serving_client: ServingClient
) -> Iterator[dict[str, World]]:
    """A server for each origin, for configurations that change nothing."""
    worlds = {
        origin: World(tmp_path_factory.mktemp(origin), serving_client, origin) for origin in ("rpc", "file")
    }
    with worlds["rpc"], worlds["file"]:
        yield worlds


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.name}")
def test_what_cannot_be_taken_is_refused_in_the_known_words_and_changes_nothing(
    steady: dict[str, World], origin: str, row: Row
) -> None:
    world = steady[origin]
    expected = row.by_rpc if origin == "rpc" else row.by_file or row.by_rpc
    assert world.reload(row.text(world)) == expected
    assert world.revision() == 1
    assert world.answer("m") == 1.0
    assert world.reload(world.text("m")) == ("OK", ""), (
        "a refusal leaves nothing behind that refuses the next"
    )
    assert world.revision() == 1


def test_row_2_a_start_without_a_configuration_takes_its_first_list_later(
    tmp_path: Path, serving_client: ServingClient, origin: str
) -> None:
    world = World(tmp_path, serving_client, origin)
    world.file.write_text("# no models yet")
    world.exports("n").synthetic(2, load_ms=300)
    with world:
        assert world.answer("m") == 404
        assert world.reload(world.text("m", "n")) == ("OK", "")
        assert (world.answer("m"), world.answer("n")) == (1.0, 2.0), "it waits for all of them"


def labelled(world: World, version: int, *, policy: str = "") -> str:
    """Model m with the label `stable`."""
    return world.model("m", policy=policy)[:-1] + LABEL.format("stable", version) + " }"


def test_row_6_a_label_of_a_version_that_is_not_there_is_refused(world: World) -> None:
    code, message = world.reload(world.text(labelled(world, 9)))
    assert code == "FAILED_PRECONDITION"
    assert message.startswith(
        "Request to assign label to version 9 of model m, which is not currently available for inference"
    )
    assert world.revision() == 1


def test_row_6_a_label_of_a_version_that_comes_in_the_same_reload_moves_when_it_is_ready(
    world: World,
) -> None:
    assert world.reload(world.text(labelled(world, 1))) == ("OK", "")
    assert world.answer("m", label="stable") == 1.0
    world.exports("m").synthetic(2, load_ms=500)
    world.server.wait_log("state_changed", model="m", version=2, state="loading")
    both = labelled(world, 2, policy="specific { versions: 1 versions: 2 }")
    assert world.reload(world.text(both)) == ("OK", "")
    assert world.answer("m", label="stable") == 2.0


def test_row_10_a_new_model_that_fails_is_an_error_and_the_rest_is_in_force(world: World) -> None:
    world.exports("n").synthetic(1)
    world.exports("b").synthetic(1, fail_load="cursed")
    text = world.text("m", "n", "b")
    code, message = world.reload(text)
    assert code == "UNKNOWN"
    assert message.startswith("1 model(s) did not become available: {{{name: b version: 1} due to error: ")
    assert "cursed" in message
    assert world.revision() == 2
    assert world.answer("n") == 1.0
    assert world.reload(text) == ("OK", ""), "the model is no longer new"
    assert world.revision() == 2


def test_only_names_that_are_new_are_waited_for(world: World) -> None:
    world.exports("n").synthetic(1, load_ms=300)
    world.exports("m").synthetic(2, load_ms=5000)
    world.server.wait_log("state_changed", model="m", version=2, state="loading")
    policy = world.model("m", policy="specific { versions: 2 }")
    assert world.reload(world.text(policy, "n")) == ("OK", "")
    assert (world.answer("m"), world.answer("n")) == (1.0, 1.0)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_new_model_of_which_nothing_is_there_holds_nobody_up(world: World, is_there: bool) -> None:  # noqa: FBT001
    base_path = world.exports("n").base_path
    if not is_there:
        base_path.rmdir()
    assert world.reload(world.text("m", "n")) == ("OK", "")
    assert world.reload(world.text("m", "n", model_text("k", base_path))) == ("OK", "")
    world.exports("m").synthetic(2)
    world.server.wait_log("state_changed", model="m", version=2, state="ready")
    base_path.mkdir(exist_ok=True)
    world.exports("n").synthetic(7)
    world.server.wait_log("state_changed", model="n", version=7, state="ready")
    assert world.answer("n") == 7.0


def test_a_new_model_is_found_although_nothing_is_polled(
    tmp_path: Path, serving_client: ServingClient, origin: str
) -> None:
    with World(tmp_path, serving_client, origin, "--poll-interval=0") as world:
        world.exports("n").synthetic(4)
        world.exports("m").synthetic(2)
        assert world.reload(world.text("m", "n")) == ("OK", "")
        assert world.answer("n") == 4.0
        while (answer := world.answer("m")) != 2.0:
            assert answer in {1.0, 2.0}, "nobody is refused meanwhile"


def test_a_removed_model_is_gone_at_once_and_comes_back(world: World) -> None:
    world.exports("n").synthetic(1)
    assert world.reload(world.text("m", "n")) == ("OK", "")
    assert world.reload(world.text("m")) == ("OK", "")
    assert world.answer("n") == 404
    assert world.reload(world.text("m", "n")) == ("OK", ""), "also while the old one is being unloaded"
    assert world.answer("n") == 1.0


def test_a_base_path_with_the_same_versions_is_loaded_from_there(world: World) -> None:
    elsewhere = world.exports("elsewhere")
    elsewhere.synthetic(1, b=50.0)
    assert world.reload(world.text(model_text("m", elsewhere.base_path))) == ("OK", "")
    while (answer := world.answer("m")) != 50.0:
        assert answer in {1.0, 50.0}, "nobody is refused meanwhile"


def test_a_base_path_with_other_versions_changes_over(world: World) -> None:
    elsewhere = world.exports("elsewhere")
    elsewhere.synthetic(5)
    assert world.reload(world.text(model_text("m", elsewhere.base_path))) == ("OK", "")
    while (answer := world.answer("m")) != 5.0:
        assert answer in {1.0, 5.0}, "nobody is refused meanwhile"


def test_a_policy_is_changed_while_serving(world: World) -> None:
    world.exports("m").synthetic(2)
    world.server.wait_log("state_changed", model="m", version=1, state="end")
    assert world.reload(world.text(world.model("m", policy="specific { versions: 1 }"))) == ("OK", "")
    while (answer := world.answer("m")) != 1.0:
        assert answer in {1.0, 2.0}, "nobody is refused meanwhile"


def test_an_empty_list_unloads_everything(world: World) -> None:
    assert world.reload("model_config_list {}") == ("OK", "")
    assert world.answer("m") == 404
    assert world.reload(world.text("m")) == ("OK", "")
    assert world.answer("m") == 1.0


def test_an_equal_configuration_is_taken_and_makes_no_revision(world: World) -> None:
    assert world.reload("# the same\n" + world.text("m")) == ("OK", "")
    assert world.revision() == 1


# What only one origin can show.


def test_row_7_a_custom_configuration_at_a_start_ends_it(
    tmp_path: Path, serving_client: ServingClient
) -> None:
    world = World(tmp_path, serving_client, "file")
    world.file.write_text(CUSTOM)
    with pytest.raises(AssertionError, match="the server ended"):
        world.server.__enter__()
    assert world.server.wait_exit() == 2
    assert "ModelServer does not yet support custom model config." in world.server.tail()
    world.server.__exit__(None, None, None)


def test_a_call_ends_with_its_caller_s_deadline_and_says_what_is_still_loading(
    tmp_path: Path, serving_client: ServingClient
) -> None:
    with World(tmp_path, serving_client, "rpc") as world:
        world.exports("n").synthetic(1, load_ms=3000)
        code, message = world.reload(world.text("m", "n"), timeout_s=1)
        assert code == "DEADLINE_EXCEEDED"
        assert message == (
            "The configuration is in force as revision 2, but the time to wait was over while 1 model(s) were "
            "still under way: n"
        )
        world.server.wait_log("state_changed", model="n", version=1, state="ready")
        assert world.answer("n") == 1.0


def test_a_call_ends_with_the_server_s_own_limit(tmp_path: Path, serving_client: ServingClient) -> None:
    with World(tmp_path, serving_client, "rpc", "--reload-timeout=0.2") as world:
        world.exports("n").synthetic(1, load_ms=5000)
        assert world.reload(world.text("m", "n"))[0] == "DEADLINE_EXCEEDED"
        assert world.reload(world.text("m")) == ("OK", ""), "a reload that waits does not hold up the next"


def test_calls_made_at_once_are_all_answered(tmp_path: Path, serving_client: ServingClient) -> None:
    with (
        World(tmp_path, serving_client, "rpc") as world,
        ThreadPoolExecutor(2) as pool,
        ServingClient() as second,
    ):
        slow = pool.submit(
            second.call,
            world.server.grpc,
            "HandleReloadConfigRequest",
            f"config {{ {world.text('m', 'n')} }}",
        )
        world.exports("n").synthetic(1, load_ms=300)
        assert world.reload(world.text("m")) == ("OK", "")
        assert slow.result().code == "OK"


def test_metrics_are_told_by_how_much_they_grew(tmp_path: Path, serving_client: ServingClient) -> None:
    with World(tmp_path, serving_client, "rpc") as world:
        world.answer("m")
        names = ["/tensorflow/serving/request_count", "/no/such/counter", "/no/such/counter"]
        asked = " ".join(f'metric_names: "{name}"' for name in names)
        answer = serving_client.call(
            world.server.grpc, "HandleReloadConfigRequest", f"config {{ {world.text('m')} }} {asked}"
        )
        assert answer.response == {
            "status": {},
            "metric": [{"name": name, "int64_value_increase": "0"} for name in names[:2]],
        }


def test_a_file_that_is_polled_does_not_undo_an_rpc_until_it_changes(
    tmp_path: Path, serving_client: ServingClient
) -> None:
    with World(tmp_path, serving_client, "rpc", "--config-poll-interval=0.05") as world:
        world.exports("n").synthetic(1)
        assert world.reload(world.text("m", "n")) == ("OK", "")
        world.file.write_text("# a comment is no change\n" + world.text("m"))
        world.file.write_text("model_config_list {")
        world.server.wait_log("reload_refused", origin="file")
        assert world.answer("n") == 1.0
        world.file.write_text(world.text("n"))
        world.server.wait_log("reloaded", origin="file")
        assert (world.answer("m"), world.answer("n")) == (404, 1.0)
