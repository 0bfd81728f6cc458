"""What is told to the core of a model's rollout: what was counted of it, and of nothing else."""

from tests.staged_rollouts import EVIDENCE, RAMPING
from understudy.control.facts import TrialSeen
from understudy.control.picture import Picture
from understudy.control.traffic_knowledge import TrafficKnowledge
from understudy.evidence import Evidence
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic

SLOW = (("slow:p99", 0.05),)


def situation(trial: TrialSeen) -> Situation:
    knowledge = TrafficKnowledge()
    knowledge.note_trial("m", trial)
    return knowledge.situation("m", ModelTraffic(rollout=RAMPING), Picture(), is_recorded=True)


def test_what_is_slow_is_measured_in_the_rollout_itself() -> None:
    assert situation(TrialSeen(EVIDENCE, SLOW)).thresholds_s == SLOW
    of_weights_by_hand = situation(TrialSeen(Evidence(trial="m-weights"), SLOW))
    assert of_weights_by_hand.thresholds_s == (), "another version answered then"
    assert of_weights_by_hand.evidence is None
