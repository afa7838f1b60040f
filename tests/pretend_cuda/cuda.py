"""Put the pretend device in place: operations, ``torch.cuda``, and what PyTorch's CPU build lacks."""

from __future__ import annotations

import functools

import torch
from torch import _VF, nn
from torch.optim import optimizer
from torch.utils import _foreach_utils

from pretend_cuda.counting import counts
from pretend_cuda.tensor import Cuda, make, run

LIBRARIES = [torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")]


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
    _VF.gru, _VF.lstm = recurrent(_VF.gru), recurrent(_VF.lstm)


def torch_cuda() -> dict[str, object]:
    """Return what torch.cuda has with a GPU."""
    generator = torch.Generator("cuda")
    constants = {"is_available": True, "device_count": 1, "current_device": 0, "_is_in_bad_fork": False,
                 "get_device_name": "pretend GPU", "get_device_capability": (9, 0), "max_memory_allocated": 0,
                 "reset_peak_memory_stats": None, "set_device": None, "is_bf16_supported": True}
    return {
        **{name: lambda *_, value=value, **__: value for name, value in constants.items()},
        "_initialized": False, "_lazy_init": lambda: setattr(torch.cuda, "_initialized", True),
        "is_initialized": lambda: torch.cuda._initialized,
        "synchronize": lambda device=None: counts.wait("synchronize"),
        "default_generators": (generator,), "get_rng_state": lambda device="cuda": generator.get_state(),
        "set_rng_state": lambda state, device="cuda": generator.set_state(state),
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


def recurrent(original):
    """Run a recurrent layer, which cuDNN runs in few launches, as the CPU's own."""
    def layer(x, states, weights, *options):
        if not isinstance(x, torch.Tensor) or x.device.type != "cuda":
            return original(x, states, weights, *options)
        several = isinstance(states, tuple)
        states = states if several else (states,)
        given = (x, *states, *weights)
        if any(part.device != x.device for part in given):
            raise RuntimeError(f"Input, hidden and parameter tensors are not at the same device, found {x.device}")

        def on_cpu(x, *parts):
            before, rest = parts[:len(states)], parts[len(states):]
            return original(x, before if several else before[0], rest, *options)

        return OnCpu.apply(on_cpu, torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else x.dtype,
                           *given)

    return layer


class OnCpu(torch.autograd.Function):
    """Run a function of CPU tensors on those that the given ones hold, rounded to a type."""

    @staticmethod
    def forward(ctx, function, kind, *given):
        counts.launches += 1
        exact = kind if kind in (torch.float32, torch.float64) else torch.float32
        ctx.set_materialize_grads(False)
        ctx.given = [part.held.detach().to(kind).to(exact).requires_grad_() for part in given]
        with torch.enable_grad():
            ctx.made = function(*ctx.given)
        return tuple(Cuda(part.detach().to(kind)) for part in ctx.made)

    @staticmethod
    def backward(ctx, *gradients):
        counts.launches += 1
        pairs = [(part, gradient.held.to(part.dtype)) for part, gradient in zip(ctx.made, gradients)
                 if gradient is not None]
        found = torch.autograd.grad([part for part, _ in pairs], ctx.given, [given for _, given in pairs])
        return None, None, *map(Cuda, found)
