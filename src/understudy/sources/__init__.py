"""Where versions come from. A source reports what is there and decides nothing."""
