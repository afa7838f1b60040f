"""Seeding, so that a run can be repeated."""

from __future__ import annotations

import os
import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch (CPU and CUDA) and ask for deterministic kernels.

    An operation that has no deterministic CUDA kernel warns and runs all the same, and so does the gradient of fused
    attention (`scaled_dot_product_attention`), whose kernels add in any order: on CUDA two trainings of a transformer
    agree only to rounding. Call it before the first CUDA operation: cuBLAS reads its workspace setting once. The
    setting is the one with which cuDNN's recurrent networks are deterministic too; where speed matters more, set
    CUBLAS_WORKSPACE_CONFIG to ``:4096:8`` before.

    Parameters
    ----------
    seed : int
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # seeds every CUDA device as well
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a launch for each empty tensor, which nobody reads
