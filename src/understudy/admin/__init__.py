"""The operators' HTTP API: what the server is doing, and why; and changes of its configuration."""
