"""The demo's rollouts: three candidates, what becomes of each, and what was recorded of it.

Each is ordered by the operators' API, as `understudy rollout start` does, and then left to the evidence: it
is promoted, or rolled back and quarantined, without anybody's doing. Nothing here decides.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import httpx

from examples.digits.doors import MODEL
from examples.digits.findings import Finding
from examples.digits.folder import Folder
from examples.digits.narration import Narrator
from examples.digits.processes import Addresses, asking_users
from examples.digits.users import Asked, read_asked

PLAN: Final = """\
shadow: {share: 20 %, dwell: 2 s, requests: 50}
steps:
  - {weight: 1 %, dwell: 2 s, requests: 20}
  - {weight: 5 %, dwell: 2 s, requests: 50}
  - {weight: 25 %, dwell: 2 s, requests: 100}
  - {weight: 50 %, dwell: 2 s, requests: 100}
quality: {metric: accuracy, output: classes, window: 60 s}
analysis:
  metrics:
    errors: {floor: 2 %}
    slow:p99: {muted: true}
keep_baseline: 2 s
"""
"""Shorter than anybody would wait in earnest: the demo's traffic is small, and its versions differ much."""

PROMOTED: Final = frozenset({"watching", "promoted"})
ENDS: Final = frozenset({"promoted", "rolled_back", "ended"})
TIMEOUT_S: Final = 180.0
LOOK_EVERY_S: Final = 0.2
PER_CENT: Final = 100
"""Weights are in hundredths of a per cent."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that is rolled out, and how that has to end.

    Attributes:
        version: its number.
        source: its name in staging.
        what: about it, for people.
        is_promoted: whether it is; otherwise it is rolled back.
        exposed_max: the largest share of traffic that it may have had, in hundredths of a per cent.
    """

    version: int
    source: str
    what: str
    is_promoted: bool
    exposed_max: int


CANDIDATES: Final = (
    Candidate(2, "2", "the better one", is_promoted=True, exposed_max=10_000),
    Candidate(3, "confused", "takes eights for threes", is_promoted=False, exposed_max=2_500),
    Candidate(4, "strict", "throws on bright digits", is_promoted=False, exposed_max=2_500),
)


class Position(TypedDict):
    """Where a rollout was at one moment; other fields are not read here."""

    phase: str
    weight: int


class Decision(TypedDict):
    """One line of the recorded story."""

    at: str
    kind: str
    by: str
    reason: str
    after: Position | None


class Rollout(TypedDict):
    """As the operators' API says it."""

    id: str
    phase: str
    weight: int
    candidate: int
    reason: str


class Story(TypedDict):
    """A rollout with all decisions."""

    rollout: Rollout
    decisions: list[Decision]


class UnfinishedError(Exception):
    """A rollout did not come to its end in time; the text says where it stands."""


class Rollouts:
    """Orders and questions, as `understudy rollout` gives them."""

    def __init__(self, admin_address: str) -> None:
        self._client = httpx.Client(base_url=f"http://{admin_address}", trust_env=False)

    def start(self, version: int) -> Rollout:
        """Has a version rolled out; it need not be there yet."""
        wanted = {"candidate": version, "plan": PLAN, "by": "the demo"}
        answer = self._client.post(f"/v1/models/{MODEL}/rollout", json=wanted).raise_for_status()
        started: Rollout = answer.json()
        return started

    def follow(self, started: Rollout) -> Story:
        """Waits for the rollout's end; all that was recorded of it."""
        deadline = time.monotonic() + TIMEOUT_S
        while (story := self._story(started["id"]))["rollout"]["phase"] not in ENDS:
            if time.monotonic() > deadline:
                present = story["rollout"]
                raise UnfinishedError(f"{present['id']} is {present['phase']}: {present['reason']}")
            time.sleep(LOOK_EVERY_S)
        return story

    def _story(self, rollout: str) -> Story:
        story: Story = self._client.get(f"/v1/rollouts/{rollout}").raise_for_status().json()
        return story


def play(folder: Folder, narrator: Narrator, addresses: Addresses) -> list[Finding]:
    """Every candidate in turn, under traffic; version 1 serves. What was seen."""
    rollouts = Rollouts(addresses.admin)
    findings: list[Finding] = []
    with asking_users(folder, addresses) as record:
        for candidate in CANDIDATES:
            narrator.act(f"Roll out version {candidate.version}, {candidate.what}")
            begun = time.time()
            started = rollouts.start(candidate.version)
            folder.publish(candidate.version, source=candidate.source)
            story = rollouts.follow(started)
            narrator.quote(tell(story))
            asked = [each for each in read_asked([record]) if each.at >= begun]
            findings.append(judge(candidate, story, asked))
    return findings


def tell(story: Story) -> str:
    """The recorded story, a line for each decision."""
    return "\n".join(
        f"{decision['at'][11:19]}  {_position(decision['after']):<16} {decision['reason']}"
        for decision in story["decisions"]
    )


def _position(position: Position | None) -> str:
    if position is None:
        return ""
    share = position["weight"] / PER_CENT
    return f"{position['phase']} {share:g} %" if share else position["phase"]


def judge(candidate: Candidate, story: Story, asked: Sequence[Asked]) -> Finding:
    """Whether it ended as it had to, and what users saw of it; `asked` are requests during the rollout."""
    phase = story["rollout"]["phase"]
    exposed = max((each["after"]["weight"] for each in story["decisions"] if each["after"]), default=0)
    by_candidate = [each for each in asked if each.version == candidate.version]
    failed = sum(bool(each.failure) for each in asked)
    holds = (
        (phase in PROMOTED) is candidate.is_promoted
        and exposed <= candidate.exposed_max
        and all(each.version == candidate.version for each in asked if each.failure)
    )
    end = "promoted" if candidate.is_promoted else "rolled back"
    return Finding(
        claim=f"Version {candidate.version}, {candidate.what}, was {end}",
        seen=f"{phase}, at most {exposed / PER_CENT:g} % of traffic; it answered {len(by_candidate)} of "
        f"{len(asked)} requests, {failed} of which failed",
        holds=holds,
    )
