"""Other people's clients, unchanged, at our server."""
