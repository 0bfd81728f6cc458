"""How fast, beside what: `python -m benchmarks.run` measures, `results/` keeps what was measured."""
