"""TensorFlow and Keras set up for reproducible results; devices and processes."""
