"""The operators' HTTP API: what the server is doing, and why. It only reads, so far."""
