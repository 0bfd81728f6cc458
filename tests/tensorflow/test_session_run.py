"""SessionRun on a real graph, with the real stub: off by default, bounded when it is on."""

from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest

from tests.live.process import LiveServer
from tests.live.serving_client import Answer, ServingClient

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SPEC = 'model_spec { name: "shared_heads" }'
X = 'feed { name: "x" tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 float_val: 2 } }'

#: So many different sets of names one version is asked for at most.
SETS_MAX = 256


@pytest.fixture(scope="module")
def open_server(base_paths: dict[str, Path]) -> Iterator[LiveServer]:
    """A server that answers SessionRun."""
    with LiveServer(f"--model=shared_heads={base_paths['shared_heads']}", "--enable-session-run") as server:
        yield server


def values(answer: Answer) -> list[tuple[str, list[float]]]:
    """Names and numbers of what was answered."""
    assert answer.code == "OK", answer.message
    tensors = answer.response["tensor"]
    assert isinstance(tensors, list)
    return [(named["name"], named["tensor"]["float_val"]) for named in tensors]


def test_it_is_off_unless_the_operator_says_so(server: LiveServer, serving_client: ServingClient) -> None:
    answer = serving_client.call(server.grpc, "SessionRun", SPEC + X + 'fetch: "doubled"')
    assert answer.code == "UNIMPLEMENTED"
    assert "--enable_session_run" in answer.message


def test_tensors_of_the_graph_are_fed_and_fetched_by_name(
    open_server: LiveServer, serving_client: ServingClient
) -> None:
    request = SPEC + X + 'fetch: "doubled:0" fetch: "doubled"'
    answer = serving_client.call(open_server.grpc, "SessionRun", request)
    assert values(answer) == [("doubled:0", [2.0, 4.0]), ("doubled", [2.0, 4.0])]
    assert answer.response["model_spec"] == {"name": "shared_heads", "version": "123"}


def test_a_target_is_run_and_not_answered(open_server: LiveServer, serving_client: ServingClient) -> None:
    def call(rest: str) -> Answer:
        return serving_client.call(open_server.grpc, "SessionRun", SPEC + rest)

    ((_, before),) = values(call('fetch: "runs"'))
    assert call('target: "count"').response == {"model_spec": {"name": "shared_heads", "version": "123"}}
    assert values(call('fetch: "runs"')) == [("runs", [before[0] + 1])]


@pytest.mark.parametrize(
    ("rest", "code", "message"),
    [
        ('fetch: "lost:0"', "NOT_FOUND", 'the graph has no tensor "lost:0"'),
        ('fetch: "x:7"', "INVALID_ARGUMENT", 'the graph has no tensor "x:7": the operation has 1 outputs'),
        ('target: "lost"', "NOT_FOUND", 'the graph has no operation "lost"'),
        (X + X + 'fetch: "doubled"', "INVALID_ARGUMENT", 'the tensor "x" is fed twice'),
        ("", "INVALID_ARGUMENT", "Must specify at least one target to fetch or execute."),
    ],
)
def test_what_the_graph_has_not_is_named(
    rest: str, code: str, message: str, open_server: LiveServer, serving_client: ServingClient
) -> None:
    answer = serving_client.call(open_server.grpc, "SessionRun", SPEC + rest)
    assert (answer.code, answer.message) == (code, message)


def test_a_version_prepares_a_bounded_number_of_different_runs(
    base_paths: dict[str, Path], serving_client: ServingClient
) -> None:
    names = [f"c{number}" for number in range(9)]
    subsets = chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))
    model = f"--model=shared_heads={base_paths['shared_heads']}"
    with LiveServer(model, "--enable-session-run") as server:

        def fetch(subset: tuple[str, ...]) -> Answer:
            fetches = " ".join(f'fetch: "{name}"' for name in subset)
            return serving_client.call(server.grpc, "SessionRun", SPEC + fetches)

        codes = [fetch(subset).code for _, subset in zip(range(SETS_MAX), subsets, strict=False)]
        assert set(codes) == {"OK"}
        refused = fetch(next(subsets))
        assert refused.code == "RESOURCE_EXHAUSTED"
        assert f"{SETS_MAX} different sets" in refused.message
        assert fetch(("c3",)).code == "OK"
        assert fetch(("c1", "c0")).code == "OK", "the order makes no difference"
