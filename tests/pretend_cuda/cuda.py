"""Put the pretend device in place: operations, ``torch.cuda``, and what PyTorch's CPU build lacks."""

from __future__ import annotations

import functools
import time
from types import SimpleNamespace

import torch
from torch import _VF, nn
from torch.optim import optimizer
from torch.utils import _foreach_utils

from pretend_cuda.counting import counts
from pretend_cuda.tensor import Cuda, make, run

LIBRARIES = [torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")]
MEMORY = 139 * 2**30  # bytes


class Event:
    """A mark on the stream that is reached at once."""

    def __init__(self, **_):
        pass

    def record(self, _stream=None):
        self.at = time.perf_counter()

    def synchronize(self):
        counts.wait("synchronize")

    def query(self):
        return True

    def elapsed_time(self, other):
        return 1000 * (other.at - self.at)


def install() -> None:
    """Make ``torch.device("cuda")`` work."""
    LIBRARIES[0].fallback(make, "CUDA")
    LIBRARIES[1].impl("copy_", lambda self, source, non_blocking=False:
                      run(torch.ops.aten.copy_.default, (self, source, non_blocking), {}), "CUDA")
    for name, value in torch_cuda().items():
        setattr(torch.cuda, name, value)
    torch._C._set_only_lift_cpu_tensors(True)
    torch.inference_mode = lambda mode=True: torch.no_grad()(mode) if callable(mode) else torch.no_grad()  # no wrappers
    for module in (optimizer, _foreach_utils):
        getattr(module, "_foreach_supported_types", []).append(Cuda)
    torch.serialization.add_safe_globals([Cuda])
    optimizer.register_optimizer_step_post_hook(counts.step)
    torch.backends.cudnn.is_acceptable = lambda _tensor: False  # says so without a warning
    nn.Module._apply = swapping(nn.Module._apply)
    _VF.gru, _VF.lstm = recurrent(_VF.gru, gru_step), recurrent(_VF.lstm, lstm_step)


def torch_cuda() -> dict[str, object]:
    """Return the attributes of torch.cuda."""
    generator = torch.Generator("cuda")

    def properties(_device=None):
        return SimpleNamespace(name="pretend GPU", major=9, minor=0, total_memory=MEMORY, multi_processor_count=132)

    def get(value):
        return lambda device=None: value

    return {
        "is_available": get(True), "device_count": get(1), "current_device": get(0), "set_device": get(None),
        "is_bf16_supported": lambda including_emulation=True: True, "_is_in_bad_fork": get(False),
        "get_device_name": get("pretend GPU"), "get_device_capability": get((9, 0)), "mem_get_info": get((MEMORY,) * 2),
        "get_device_properties": properties, "Event": Event, "current_stream": get(None), "empty_cache": get(None),
        "_lazy_init": lambda: setattr(torch.cuda, "_initialized", True), "_initialized": False,
        "is_initialized": lambda: torch.cuda._initialized,
        "synchronize": lambda device=None: counts.wait("synchronize"),
        **{name: get(0) for name in ("max_memory_allocated", "memory_allocated", "max_memory_reserved",
                                     "memory_reserved", "reset_peak_memory_stats")},
        "default_generators": (generator,), "get_rng_state": lambda device="cuda": generator.get_state(),
        "set_rng_state": lambda state, device="cuda": generator.set_state(state),
        "get_rng_state_all": lambda: [generator.get_state()],
        "set_rng_state_all": lambda states: generator.set_state(states[0]),
        **{name: lambda seed: generator.manual_seed(seed) and None for name in ("manual_seed", "manual_seed_all")},
    }


def swapping(original):
    """Let Module.to swap tensors: a wrapper's `data` cannot become a CPU tensor."""
    @functools.wraps(original)
    def _apply(self, function, recurse=True):
        before = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            return original(self, function, recurse)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(before)

    return _apply


def recurrent(original, step):
    """Run one layer of cuDNN's recurrent networks by its formula."""
    def layer(x, *rest):
        if not isinstance(x, torch.Tensor) or x.device.type != "cuda" or len(rest) != 8:
            return original(x, *rest)
        states, weights, biases, n_layers, _dropout, _train, bidirectional, batch_first = rest
        if n_layers != 1 or bidirectional or not biases:
            raise NotImplementedError("the pretend device has recurrent networks of one layer and one direction")
        states = states if isinstance(states, tuple) else (states,)
        if any(part.device != x.device for part in (*states, *weights)):
            raise RuntimeError(f"Input, hidden and parameter tensors are not at the same device, found {x.device}")
        if torch.is_autocast_enabled("cuda"):
            kind = torch.get_autocast_dtype("cuda")
            x, states, weights = x.to(kind), [part.to(kind) for part in states], [part.to(kind) for part in weights]
        w_in, w, b_in, b = weights
        states, made = [part[0] for part in states], []
        for given in ((x.transpose(0, 1) if batch_first else x) @ w_in.mT + b_in).unbind(0):
            states = step(given, states[0] @ w.mT + b, *states)
            made.append(states[0])
        out = torch.stack(made)
        return (out.transpose(0, 1) if batch_first else out), *[part[None] for part in states]

    return layer


def gru_step(given, kept, h):
    """Return the new state of a GRU."""
    (r_in, z_in, n_in), (r, z, n) = given.chunk(3, 1), kept.chunk(3, 1)
    new = torch.tanh(n_in + torch.sigmoid(r_in + r) * n)
    return [new + torch.sigmoid(z_in + z) * (h - new)]


def lstm_step(given, kept, _h, c):
    """Return the new states of an LSTM."""
    i, f, g, o = (given + kept).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return [torch.sigmoid(o) * torch.tanh(c), c]
