"""The feedback desk of a live server: what a model's rollout asks for is what the control loop says."""

from understudy.control.desk import Desk
from understudy.dataplane.native import NativeDataPlane
from understudy.quality.desk import FeedbackDesk
from understudy.rollout.plan import QualitySettings


def build_feedback_desk(data_plane: NativeDataPlane, desk: Desk) -> FeedbackDesk:
    """A desk that compares as the plan of the model's present rollout says."""

    def find_quality(model: str) -> QualitySettings | None:
        traffic = desk.picture.traffic.get(model)
        return traffic.rollout.plan.quality if traffic and traffic.rollout else None

    return FeedbackDesk(data_plane, find_quality)
