"""The tensor of the pretend device, and what becomes of an operation that has one among its arguments."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch.utils import _pytree as pytree

from pretend_cuda.counting import counts

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
WAITS = {  # the host must know their values, or the size of their results
    "_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "unique_consecutive", "bincount",
    "equal", "is_nonzero", "repeat_interleave.Tensor", "_linalg_eigh", "_linalg_svd", "linalg_inv_ex",
    "linalg_cholesky_ex", "multinomial", "histc",
}
NOT_DETERMINISTIC = {  # those of torch.use_deterministic_algorithms' documentation that could be met here
    "kthvalue", "histc", "median.dim", "put_", "scatter_reduce", "_embedding_bag_backward",
    "upsample_linear1d_backward", "upsample_bilinear2d_backward", "upsample_bicubic2d_backward", "max_unpool2d",
    "_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "reflection_pad1d_backward", "_ctc_loss_backward",
    "reflection_pad2d_backward", "replication_pad1d_backward", "grid_sampler_2d_backward", "avg_pool3d_backward",
}
COPIES = {"copy_", "_to_copy", "set_", "_copy_from", "_copy_from_and_resize"}  # from one device to the other
INDEXING = {"index", "index_put", "index_put_", "_unsafe_index", "_index_put_impl_", "_unsafe_index_put"}
NUMBERS = ("_foreach", "where", "masked_fill", "result_type", "fill", "lerp", "add", "mul", "sub", "div")
NO_KERNEL = {"detach", "empty_like", "alias", "_unsafe_view", "new_empty", "empty_strided", "new_empty_strided",
             "_reshape_alias"}


class Cuda(torch.Tensor):
    """A tensor on cuda:0, whose numbers lie in `held` on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held, requires_grad=False):
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            layout=held.layout, device=CUDA, requires_grad=requires_grad)
        made.held = held
        return made

    def __init__(self, held, requires_grad=False):
        pass

    def __tensor_flatten__(self):  # lets Module.to swap tensors
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner, _context, _size, _stride):
        return Cuda(inner["held"])

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})

    def numpy(self, *, force=False):
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        return self.detach().cpu().numpy()

    def __array__(self, dtype=None, copy=None):
        return self.numpy()

    def tolist(self):
        counts.wait("tolist")
        return self.held.detach().tolist()

    def __repr__(self, *, tensor_contents=None):
        counts.wait("repr")
        return repr(self.held).rstrip(")") + ", device='cuda:0')"

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            with torch.no_grad():
                made = Cuda(self.held.detach().clone())
            made.requires_grad_(self.requires_grad)
            if getattr(self, "_is_param", False):
                made._is_param = True
            made.grad = None if self.grad is None else self.grad.__deepcopy__(memo)
            memo[id(self)] = made
        return memo[id(self)]

    def __reduce_ex__(self, protocol):  # as if saved, and loaded with map_location="cpu"
        counts.wait("save")
        return self.held.detach().__reduce_ex__(protocol)

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, new):
        def form(tensor):
            return tensor.shape, tensor.dtype, tensor.stride()

        if isinstance(new, Cuda) and form(new) == form(self):
            self.held = new.held
            return
        if getattr(self, "_is_param", False):
            new = torch.nn.Parameter(new.detach(), self.requires_grad)
        torch.utils.swap_tensors(self, new)


class Kind(NamedTuple):
    """What is known of an operation."""

    name: str
    overload: str
    waits: bool
    launches: bool
    random: bool
    takes_numbers: bool  # CPU tensors without dimensions may stand for numbers


@functools.cache
def kind_of(function) -> Kind:
    """Return what the operation's schema says."""
    name = function._schema.name.split("::")[1]
    overload = f"{name}.{function._overloadname}"
    aliases = [value.alias_info for value in function._schema.returns if value.alias_info is not None]
    view = bool(aliases) and not any(alias.is_write for alias in aliases)
    return Kind(name, overload, bool({name, overload} & WAITS), not view and name not in NO_KERNEL,
                torch.Tag.nondeterministic_seeded in function.tags,
                torch.Tag.pointwise in function.tags or name.startswith(NUMBERS))


def check(function, kind: Kind, args, kwargs) -> None:
    """Raise where a CPU tensor may not stand beside tensors on CUDA."""
    if kind.name in COPIES:
        return
    for place, value in enumerate((*args, *kwargs.values())):
        for part in value if isinstance(value, list | tuple) else (value,):
            if not isinstance(part, torch.Tensor) or isinstance(part, Cuda) or part.device.type == "meta":
                continue
            written = place == 0 and function._schema.name.endswith("_")
            if kind.name in INDEXING and place == 1:
                counts.wait("CPU index")
            elif kind.name in INDEXING and place == 0:
                raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
            elif part.ndim or written or not (kind.takes_numbers or kind.name in INDEXING
                                              or kind.name.startswith("_fused")):
                raise RuntimeError("Expected all tensors to be on the same device, but found at least two devices, "
                                   f"cuda:0 and cpu! (when checking arguments in {function})")


def count(kind: Kind, args, kwargs) -> None:
    """Count the launch, and the wait where there is one."""
    counts.launches += kind.launches
    if kind.waits:
        counts.wait(kind.name)
    elif kind.name in INDEXING:
        filled = kind.name != "index" and args[2].numel() == 1 and not kwargs.get("accumulate")  # becomes masked_fill
        masks = [part for part in args[1] if part is not None and part.dtype in (torch.bool, torch.uint8)]
        if masks and not filled:
            counts.wait("index with a mask")
    elif kind.name == "copy_":
        to_cuda, from_cuda = (isinstance(part, Cuda) for part in args[:2])
        later = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        if to_cuda != from_cuda and not (to_cuda and later):
            counts.wait("copy to CUDA" if to_cuda else "copy to the CPU")
    elif kind.name == "_to_copy" and torch.device(kwargs.get("device") or CUDA).type == "cpu":
        counts.wait("copy to the CPU")
    if torch.are_deterministic_algorithms_enabled() and undetermined(kind, args, kwargs):
        counts.undetermined[kind.overload] += 1


def undetermined(kind: Kind, args, kwargs) -> bool:
    """Say whether CUDA has no deterministic kernel for the operation."""
    if kind.name == "cumsum":
        return args[0].is_floating_point()
    if kind.name == "nll_loss2d_forward":
        return args[3] != 0  # without a sum nothing is added
    if kind.name == "bincount":
        return len(args) > 1 and args[1] is not None or kwargs.get("weights") is not None
    return bool({kind.name, kind.overload} & NOT_DETERMINISTIC)


def run(function, args, kwargs):
    """Run an operation that has a tensor on CUDA among its arguments."""
    kind = kind_of(function)
    count(kind, args, kwargs)
    check(function, kind, args, kwargs)
    device = torch.device(kwargs.get("device") or CUDA).type
    if device == "meta":
        return function(*pytree.tree_map(lambda v: v.held.to("meta") if isinstance(v, Cuda) else v, args), **kwargs)
    inner, named = pytree.tree_map(lambda v: v.held if isinstance(v, Cuda) else v, (list(args), on_cpu(kwargs)))
    result = draw(function, inner, named) if kind.random else function(*inner, **named)
    made = as_cuda(result, args, kwargs) if device == "cuda" else result
    if isinstance(args[0], Cuda) and torch.Tag.inplace_view in function.tags:
        torch.utils.swap_tensors(args[0], Cuda(args[0].held))
    return made


def on_cpu(kwargs) -> dict:
    """Return keyword arguments with the CPU in place of CUDA."""
    device = kwargs.get("device")
    changed = {"device": CPU} if device is not None and torch.device(device).type == "cuda" else {}
    return {name: value for name, value in kwargs.items() if name != "pin_memory"} | changed


def draw(function, args, kwargs):
    """Draw random numbers of CUDA: from the given generator or CUDA's own, never from the CPU's."""
    given = next((value for value in (*args, *kwargs.values()) if isinstance(value, torch.Generator)), None)
    if given is not None and given.device.type != "cuda":
        raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
    generator, ours = given or torch.cuda.default_generators[0], torch.random.default_generator
    before = ours.get_state()
    ours.set_state(generator.get_state())
    try:
        without = pytree.tree_map(lambda value: None if isinstance(value, torch.Generator) else value, (args, kwargs))
        return function(*without[0], **without[1])
    finally:
        generator.set_state(ours.get_state())
        ours.set_state(before)


def as_cuda(result, args, kwargs):
    """Return results as tensors on CUDA; arguments that were written to come back themselves."""
    given = {id(value.held if isinstance(value, Cuda) else value): value
             for value in pytree.tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)}
    return pytree.tree_map(
        lambda value: given.get(id(value)) if id(value) in given else Cuda(value)
        if isinstance(value, torch.Tensor) else value, result)


def make(function, *args, **kwargs):
    """Run an operation that asks for CUDA without having a tensor there: it makes one."""
    counts.launches += kind_of(function).launches and "empty" not in function.name()
    for value in pytree.tree_leaves((args, kwargs)):
        if isinstance(value, torch.Generator) and torch.device(kwargs.get("device") or CPU).type == "cpu":
            raise RuntimeError("Expected a 'cpu' device type for generator but found 'cuda'")
    kwargs = on_cpu(kwargs) | ({} if kwargs.get("device") else {"device": CPU})
    made = draw(function, args, kwargs) if kind_of(function).random else function(*args, **kwargs)
    return pytree.tree_map(lambda value: Cuda(value) if isinstance(value, torch.Tensor) else value, made)
