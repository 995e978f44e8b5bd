"""Arithmetic on all weights, on PyTorch."""

import torch


def sum_of_squares(tensor):
    return torch.linalg.vector_norm(tensor).square()


def scaled(tensors, factor):
    """Each operation on all weights counts here, and so the factor is looked at first."""
    if factor == 1:
        return tensors
    if factor == 0:
        return [torch.zeros_like(tensor) for tensor in tensors]
    return [tensor * factor for tensor in tensors]


def mended(xs, ys, usable, skips):
    """In most steps there is nothing to mend: that is looked at first."""
    total = sum(x.sum(dtype=torch.promote_types(x.dtype, torch.float32)) for x in xs)
    if usable and (skips or torch.isfinite(total)):
        return xs
    ys = [torch.zeros_like(x) if y is None else y for x, y in zip(xs, ys)]
    if not usable:
        return ys
    return [torch.where(torch.isfinite(x), x, y) for x, y in zip(xs, ys)]
