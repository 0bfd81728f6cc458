"""Understudy: a model server whose first concern is the life of model versions."""
