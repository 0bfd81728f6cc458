"""Real `model.tflite` files, made by TensorFlow's converter, served by a live server through LiteRT."""
