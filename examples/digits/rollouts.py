"""The demo's rollouts: how the server is told to do them, what they are to come to, what it has recorded.

The server decides by itself, from the evidence; nothing here does. Its record is read through the operators'
API, and shown to the reader as `understudy rollout show` shows it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypedDict

import httpx

from examples.digits.doors import MODEL

STRATEGIES: Final = f"""\
models:
  {MODEL}:
    shadow: {{share: 20 %, dwell: 2 s, requests: 50}}
    steps:
      - {{weight: 1 %, dwell: 2 s, requests: 100}}
      - {{weight: 5 %, dwell: 2 s, requests: 80}}
      - {{weight: 25 %, dwell: 2 s, requests: 80}}
      - {{weight: 50 %, dwell: 2 s, requests: 80}}
    quality: {{metric: accuracy, output: classes, window: 60 s}}
    analysis:
      metrics:
        errors: {{floor: 2 %}}
        invalid_outputs: {{floor: 2 %}}
        slow:p99: {{muted: true}}
    keep_baseline: 2 s
"""
"""In earnest each stage takes minutes. The demo's traffic is small, so it accepts what is no worse by two
points, where a plan by default wants a tenth of a point and thousands of requests. Latency says nothing on a
machine that asks and serves at once."""

ENDS: Final = frozenset({"promoted", "rolled_back", "ended"})
TIMEOUT_S: Final = 120.0
LOOK_EVERY_S: Final = 0.2
PER_CENT: Final = 100
"""Weights are in hundredths of a per cent."""


class Position(TypedDict):
    """Where a rollout was at one moment; other fields are not read here."""

    phase: str
    weight: int


class Decision(TypedDict):
    """One line of the recorded story."""

    after: Position | None


class Rollout(TypedDict):
    """As the operators' API says it."""

    id: str
    phase: str
    reason: str


class Story(TypedDict):
    """A rollout with all decisions."""

    rollout: Rollout
    decisions: list[Decision]


class UnfinishedError(Exception):
    """A rollout did not come to its end in time; the text says where it stands."""


@dataclass(frozen=True, slots=True)
class Played:
    """A rollout from beginning to end.

    Attributes:
        version: its candidate.
        begun: when its candidate was published, or it was ordered; seconds since 1970.
        ended: when it was seen to be over.
        story: what was recorded.
    """

    version: int
    begun: float
    ended: float
    story: Story

    @property
    def phase(self) -> str:
        """How it ended."""
        return self.story["rollout"]["phase"]

    @property
    def exposed(self) -> int:
        """The largest share of traffic before its end on record, in hundredths of a per cent."""
        ramp = [each["after"] for each in self.story["decisions"]]
        return max((after["weight"] for after in ramp if after and after["phase"] == "ramping"), default=0)

    @property
    def reason(self) -> str:
        """Why it ended as it did."""
        return self.story["rollout"]["reason"]


class Rollouts:
    """Questions, as `understudy rollout` asks them."""

    def __init__(self, admin: str) -> None:
        self._client = httpx.Client(base_url=f"http://{admin}", trust_env=False)

    def follow(self, version: int, begun: float, tell: Callable[[str], None]) -> Played:
        """Waits for the end of this version's rollout, telling where it comes to."""
        deadline = time.monotonic() + TIMEOUT_S
        told: list[str] = []
        while True:
            story = self._story(f"{MODEL}-{version}-")
            for where in places(story) if story else ():
                if where not in told:
                    tell(where)
                    told.append(where)
            if story and story["rollout"]["phase"] in ENDS:
                return Played(version, begun, time.time(), story)
            if time.monotonic() > deadline:
                stands = story["rollout"]["reason"] if story else "it has not begun"
                raise UnfinishedError(
                    f"the rollout of version {version} is not over within {TIMEOUT_S:.0f} s: {stands}"
                )
            time.sleep(LOOK_EVERY_S)

    def _story(self, begins_with: str) -> Story | None:
        known = self._client.get(f"/v1/models/{MODEL}/rollouts").raise_for_status().json()["rollouts"]
        found = next((each["id"] for each in known if each["id"].startswith(begins_with)), None)
        if found is None:
            return None
        story: Story = self._client.get(f"/v1/rollouts/{found}").raise_for_status().json()
        return story


def places(story: Story) -> list[str]:
    """Where it was, in order: `shadowing`, `ramping at 1 %`."""
    return [
        f"{after['phase']} at {after['weight'] / PER_CENT:g} %"
        if after["phase"] == "ramping"
        else after["phase"]
        for after in (decision["after"] for decision in story["decisions"])
        if after is not None
    ]
