"""Layers that PyTorch lacks, or that compute otherwise than those of Keras."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from convrnn_model.inference.frozen import EPSILON
from convrnn_model.variants import top_down_margins

MOMENTUM = 0.01
"""Weight of a batch in the running statistics; Keras' momentum of 0.99 is the weight of the former statistics."""


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over (batch, height, width) with the running variance of Keras, which is the biased one.

    `torch.nn.BatchNorm2d` keeps the unbiased one, which for a batch of 8 and images of 2 x 2 px differs by 3 %.

    Args:
        features: Number of channels.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features, eps=EPSILON, momentum=MOMENTUM)

    def forward(self, images: Any) -> Any:
        """Normalise (batch, channels, height, width); in training, update the running statistics."""
        if not self.training:
            return functional.batch_norm(
                images, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        self.num_batches_tracked.add_(1)
        # None averages over all batches, as in `torch.optim.swa_utils.update_bn`.
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        update = images.new_zeros(self.num_features, dtype=self.running_var.dtype)
        normalized = functional.batch_norm(
            images, self.running_mean, update, self.weight, self.bias, True, momentum, self.eps
        )
        values = images.numel() / self.num_features
        # One operation that reads the batch, so that `torch.fx` records it.
        self.running_var.lerp_(update * ((values - 1) / (values * momentum)), momentum)
        return normalized


class TopDownConv2d(nn.ConvTranspose2d):
    """Bias-free transposed convolution with stride 2: `RCL_{n}_TConv`; see `convrnn_model.layers.TopDownConv2D`.

    Args:
        channels: Channels of the layer above.
        filters: Output channels.
        kernel_size: Side of the square kernel, px of the output, at least 2.
    """

    def __init__(self, channels: int, filters: int, kernel_size: int) -> None:
        super().__init__(channels, filters, kernel_size, stride=2, bias=False)

    def forward(self, above: Any, below: Any) -> Any:
        """Convolve (batch, channels, height, width) to the height and width of the second tensor."""
        before, after = top_down_margins(self.kernel_size[0])
        kept = slice(before, -after or None)
        doubled = super().forward(above)[:, :, kept, kept]
        height, width = (below.shape[axis] - doubled.shape[axis] for axis in (2, 3))
        return functional.pad(doubled, (0, width, 0, height))


class Sum(nn.Module):
    """Sum of one to three tensors: `RCL_{n}_ConvSum` and `CumulativeReadout_Time_{t}`."""

    def forward(self, first: Any, *others: Any) -> Any:
        """Return the sum, or the only tensor."""
        for other in others:
            first = first + other
        return first


class GlobalAveragePool(nn.Module):
    """Mean over the image."""

    def forward(self, images: Any) -> Any:
        """Average (batch, channels, height, width) to (batch, channels)."""
        return images.mean((2, 3))
