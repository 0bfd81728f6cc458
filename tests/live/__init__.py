"""Real processes for tests: a live server, the real TensorFlow Serving client. No test cases here."""
