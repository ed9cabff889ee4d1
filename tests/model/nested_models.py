"""Models that contain a network of 64 px images."""

import keras


def in_model(network):
    image = keras.Input((64, 64, 3))
    return keras.Model(image, keras.layers.Rescaling(2.0)(network(image)))


def in_sequence(network):
    return keras.Sequential([keras.Input((64, 64, 3)), network])


def in_model_in_model(network):
    return in_model(in_model(network))


class Subclassed(keras.Model):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, images):
        return self.network(images)


def over_time(network):
    return keras.Sequential([keras.Input((2, 64, 64, 3)), keras.layers.TimeDistributed(network)])
