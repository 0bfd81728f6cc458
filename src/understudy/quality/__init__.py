"""What predictions were worth once the truth is known: scores, and the desk that takes truths."""

from understudy.quality.prediction import Prediction, Truth, quality_metric

__all__ = ["Prediction", "Truth", "quality_metric"]
