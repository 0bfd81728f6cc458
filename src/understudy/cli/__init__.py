"""Commands: `understudy`, and `tensorflow_model_server` with TensorFlow Serving's own flags."""
