"""SATBench's curves as read off its published figure (arXiv 2206.08427): not printed by its authors, +-2 points.

For orientation only: real photographs, people, and networks at full size. Nothing is computed from them.
"""

DIGITISED: dict[str, dict[str, tuple[float, ...]]] = {
    "color": {"people": (6.8, 22, 47, 64.1, 69), "ConvRNN": (76.1, 82.0, 84.4, 80, 81)},
    "grayscale": {"people": (6.8, 23.3, 44.0, 58.6, 65.3), "ConvRNN": (58.2, 72.0, 75.7, 78.3, 80.9)},
    "noise 0.04": {"people": (7, 23.7, 46.4, 56.7, 57.2), "ConvRNN": (15, 23.8, 21.1, 11, 5)},
    "noise 0.16": {"people": (6.8, 10.6, 15.4, 23.0, 22.0), "ConvRNN": (9.5, 2.8, 10.9, 5.4, 2.0)},
    "blur 3": {"people": (6.5, 26.6, 51.4, 63.6, 65.3), "ConvRNN": (7, 12, 14, 12, 17.2)},
    "blur 9": {"people": (6.3, 12.1, 24.2, 33.4, 36.5), "ConvRNN": (8.0, 4.8, 11.9, 12.5, 4.3)},
}
"""Condition -> accuracy in percent at response times, or time steps, 1 to 5."""
