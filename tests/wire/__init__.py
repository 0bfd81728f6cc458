"""Requests through both doors of a live server, with public clients."""
