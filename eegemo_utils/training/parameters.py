"""How large a network is."""

from torch import nn


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values, the one that papers print; buffers and frozen weights do not count."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
