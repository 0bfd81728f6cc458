"""Plans and strategies as YAML, with the place of each error. What they mean is rollout/plan.py's."""

from understudy.rollout_file.file import read_strategies
from understudy.rollout_file.reading import parse_plan, parse_strategies
from understudy.rollout_file.writing import format_plan, format_strategies

__all__ = ["format_plan", "format_strategies", "parse_plan", "parse_strategies", "read_strategies"]
