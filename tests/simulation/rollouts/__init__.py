"""Worlds in which rollouts live: operators, reloads, crashes, stores and versions that fail, from a seed."""
