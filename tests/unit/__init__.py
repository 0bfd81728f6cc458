"""One file or class at a time; no process, no network."""
