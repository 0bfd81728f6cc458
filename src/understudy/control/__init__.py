"""The control loop: facts come in, pure functions decide, effects go out, once per tick, on one thread."""
