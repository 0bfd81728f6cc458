"""The demo: versions of a digit classifier come, go wrong and go back under steady traffic."""
