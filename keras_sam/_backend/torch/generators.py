"""PyTorch's global generators, that of the CPU and that of the device that trains."""

import contextlib

import torch
from keras.src.backend.torch.core import get_device

from keras_sam._backend import generators


@contextlib.contextmanager
def seeding():
    kind = torch.device(get_device()).type
    device = torch.random if kind == "cpu" else torch.get_device_module(kind)
    before = torch.get_rng_state(), device.get_rng_state()
    with generators.seeding() as seed_others:

        def seed(number):
            seed_others(number)
            torch.default_generator.manual_seed(number)
            if kind != "cpu":
                device.manual_seed(number)

        try:
            yield seed
        finally:
            torch.set_rng_state(before[0])
            device.set_rng_state(before[1])
