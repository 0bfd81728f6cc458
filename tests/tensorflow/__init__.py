"""Real SavedModels, made by TensorFlow, served by a live server."""
