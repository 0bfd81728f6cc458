"""Tests, by what they need: unit and exhaustive (nothing), wire and tensorflow (a live server)."""
