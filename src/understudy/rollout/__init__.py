"""Rollouts of candidate versions: plans, states, and what follows from evidence and orders. Pure."""
