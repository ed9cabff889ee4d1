import numpy as np
from PIL import Image

from convrnn_data.sample.canvas import Pen, luma, mix, random_paint, smooth


def test_shapes_are_drawn_through_the_affine_map():
    image = Image.new("RGB", (20, 10), "black")
    pen = Pen(image, np.array([[10.0, 0, 10], [0, 10, 0]]))
    pen.box(0, 0, 1, 1, (255, 0, 0))
    pixels = np.asarray(image)
    assert (pixels[1:-1, 11:, 0] == 255).all()
    assert not pixels[:, :10].any()


def test_paint_stands_out_from_the_background():
    rng = np.random.default_rng(0)
    for background in ((0, 0, 0), (128, 128, 128), (255, 255, 255)):
        assert all(abs(luma(random_paint(rng, background).body) - luma(background)) >= 0.3 for _ in range(50))


def test_colors_are_mixed_and_curves_pass_through_their_points():
    assert mix((0, 0, 0), (100, 200, 50), 0.5) == (50, 100, 25)
    points = np.array([(0.0, 0), (1, 0), (1, 1), (0, 1)])
    assert np.allclose(smooth(points, steps=6)[::6], points)
