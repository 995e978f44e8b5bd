"""PyTorch's global generators, that of the CPU and that of the device that trains."""

import contextlib

import torch
from keras.src.backend.torch.core import get_device

from keras_sam._backend import generators


def _of_device():
    """The kind of the device that trains, and the module that has its generator."""
    kind = torch.device(get_device()).type
    return kind, torch.random if kind == "cpu" else torch.get_device_module(kind)


@contextlib.contextmanager
def seeding():
    kind, device = _of_device()
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


def generator_states():
    _, device = _of_device()
    states = {"torch": torch.get_rng_state(), "device": device.get_rng_state()}
    states = {name: state.tolist() for name, state in states.items()}
    return generators.generator_states() | states


def set_generator_states(states):
    _, device = _of_device()
    generators.set_generator_states(states)
    torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8, device="cpu"))
    device.set_rng_state(torch.tensor(states["device"], dtype=torch.uint8, device="cpu"))
