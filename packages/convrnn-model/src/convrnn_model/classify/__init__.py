"""Classification of photos by a weights file, without Keras: answers and entropy at each time step."""

from convrnn_model.classify.answers import Answers, Classifier
from convrnn_model.classify.photo import Photo, read_photo

__all__ = ["Answers", "Classifier", "Photo", "read_photo"]
