"""A simulated world that drives the core from a seed, in virtual time."""
