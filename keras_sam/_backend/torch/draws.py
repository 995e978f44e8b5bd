"""The random numbers of a step that PyTorch's global generators give.

As with Python's and NumPy's, they are kept and given again. To see the operations that
draw, all of a pass have to go through Python, which costs time. So only a model that draws
is watched: its first step shows whether it does, and later the state of the generators.
"""

import contextlib
import functools

import torch
from keras.src.backend.torch.core import get_device

# It has no other name, and PyTorch documents it under this one.
from torch.utils._python_dispatch import TorchDispatchMode

from keras_sam._backend import draws

# Kernels that draw inside: their masks are not to be had.
CLOSED = ("attention", "rnn", "lstm", "rrelu", "_fused_dropout")
# Of the overloads that take no generator, those that take one.
WITH_GENERATOR = {"default": "generator", "low": "low_generator"}


class Randomness(draws.Randomness):
    """Where a model draws from PyTorch's global generators.

    Attributes:
        watched: Set of `"forward"` and `"backward"`. Going back draws where activations
            are computed again (`keras.RematScope`, `torch.utils.checkpoint`).
    """

    def __init__(self):
        self.watched = {"forward", "backward"}
        self.known = False

    def draws(self, private=False):
        return Draws(private, self)

    def learn(self, drew):
        self.watched = self.watched | drew if self.known else drew
        self.known = True


class Draws(draws.Draws):
    def __init__(self, private, model):
        super().__init__(private)
        self.model = model
        self.tensors = None

    def apart(self):
        return Draws(True, self.model)

    def run(self, evaluate):
        """One pass, `evaluate(stage)`, in which `stage(name)` is the scope of a stage."""
        if self.tensors is not None:
            return self._watch(evaluate, _Give(self.tensors))
        self.tensors = []
        before = _states()
        keep = _Keep(self.tensors, self.private)
        result = self._watch(evaluate, keep)
        if "forward" in self.model.watched:
            self.model.learn(keep.drew)
        elif not all(map(torch.equal, before, _states())):
            # Or another thread has drawn; to take the pass again is right in any case.
            self.model.learn({"forward", "backward"})
            result = self._watch(evaluate, _Keep(self.tensors, self.private))
        return result

    def _watch(self, evaluate, mode):
        def stage(name):
            mode.stage = name
            return mode if name in self.model.watched else contextlib.nullcontext()

        with self.for_a_pass():
            return evaluate(stage)


class _Keep(TorchDispatchMode):
    """Lets each operation draw, and keeps what it has drawn."""

    def __init__(self, tensors, private):
        super().__init__()
        self.tensors = tensors
        self.drew = set()
        self.copies = {} if private else None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if not _draws(func, args, kwargs):
            return func(*args, **kwargs)
        if self.copies is None:
            result = func(*args, **kwargs)
        else:
            result = self._draw_privately(func, args, kwargs)
        drawn = result[1] if isinstance(result, tuple) else result
        self.tensors.append((_name(func, args), drawn.clone()))
        self.drew.add(self.stage)
        return result

    def _draw_privately(self, func, args, kwargs):
        device = _device(args, kwargs)
        if device not in self.copies:
            state = _module(device).get_rng_state()
            self.copies[device] = torch.Generator(device).set_state(state)
        own = self.copies[device]
        if func is torch.ops.aten.native_dropout.default:
            x, p, _ = args
            mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - p, generator=own)
            return _dropped(x, p, mask), mask
        if not any(argument.name == "generator" for argument in func._schema.arguments):
            name = WITH_GENERATOR[func._overloadname]
            func = getattr(func.overloadpacket, name)
        return func(*args, **kwargs, generator=own)


class _Give(TorchDispatchMode):
    """Gives each operation that draws what it has drawn before."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors = iter(tensors)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if not _draws(func, args, kwargs):
            return func(*args, **kwargs)
        name, drawn = next(self.tensors, (None, None))
        draws.check_same(name, _name(func, args))
        if func is torch.ops.aten.native_dropout.default:
            return _dropped(*args[:2], drawn), drawn
        if func._schema.is_mutable:
            return kwargs.get("out", args[0]).copy_(drawn)
        return drawn.clone()


def _dropped(x, p, mask):
    return x * mask * (1 / (1 - p) if p < 1 else 0.0)


def _name(func, args):
    """The operation, and what says how much it draws."""
    sizes = [tuple(a.shape) if isinstance(a, torch.Tensor) else a for a in args]
    return f"{func}({', '.join(map(str, sizes))})"


def _draws(func, args, kwargs):
    """Whether an operation draws from a global generator."""
    if not _may_draw(func):
        return False
    arguments = func._schema.arguments
    given = {a.name: a.default_value for a in arguments if a.has_default_value()}
    given |= {**dict(zip((a.name for a in arguments), args)), **kwargs}
    if given.get("generator") is not None or given.get("train") is False:
        return False
    if given.get("training") is False or given.get("dropout_p", given.get("dropout")) == 0:
        return False
    if any(word in str(func) for word in CLOSED):
        raise ValueError(
            "PyTorch draws random numbers inside of a kernel, so that the passes of a "
            "sharpness-aware step cannot be given the same. Put the dropout in a layer of "
            "its own, or take another kernel (for attention "
            "`torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)`). "
            f"Received: operation={func}"
        )
    return True


@functools.cache
def _may_draw(func):
    # This one only asks which kernel to take.
    choice = torch.ops.aten._fused_sdp_choice.default
    return torch.Tag.nondeterministic_seeded in func.tags and func is not choice


def _device(args, kwargs):
    """Where an operation draws: it may be the CPU, while the model is on a GPU."""
    given = [kwargs.get("device"), *(getattr(a, "device", None) for a in args)]
    return next((d.type for d in given if d is not None), "cpu")


def _module(device):
    return torch if device == "cpu" else torch.get_device_module(device)


def _states():
    """Of the generators that operations without one of their own draw from."""
    device = torch.device(get_device()).type
    return [_module(name).get_rng_state() for name in dict.fromkeys(("cpu", device))]
