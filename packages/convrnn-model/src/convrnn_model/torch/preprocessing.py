"""Conversion of 8-bit images to the tensors that the networks take."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convrnn_model.preprocessing import require_uint8


class Preprocess(nn.Module):
    """Transform from 8-bit images to float32 in [-1, 1], channels first, with the values of `preprocess_image`.

    As a transform of torchvision, as the first module of `torch.nn.Sequential`, or as a function. Images keep their
    size: the published networks were trained at 128 x 128 px.
    """

    def forward(self, image: Any) -> Tensor:
        """Convert one image or several.

        Args:
            image: A uint8 tensor (..., channels, height, width); or an array (..., height, width, channels), uint8; or
                a PIL image, which is converted to RGB.

        Returns:
            float32 (..., channels, height, width), on the device of a tensor.

        Raises:
            TypeError: The dtype is not uint8.
        """
        if not isinstance(image, Tensor):
            if hasattr(image, "convert"):
                image = image.convert("RGB")
            array = np.asarray(image)
            require_uint8(str(array.dtype), "Preprocess")
            # A copy, because PyTorch does not support arrays that are read-only.
            image = torch.from_numpy(array.copy()).movedim(-1, -3)
        require_uint8(str(image.dtype).removeprefix("torch."), "Preprocess")
        return image.to(torch.float32) / 127.5 - 1
