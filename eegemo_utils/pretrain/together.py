"""One of several processes, or the only one: the same calls for both."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from eegemo_utils.training.checkpoints import fingerprint
from eegemo_utils.training.device import choose_device


class ToldError(ValueError):
    """The fault of the first process, which says it, on another one."""


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Join the processes that torchrun started; nothing to do for a single one."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    store, rank, world_size = next(dist.rendezvous("env://"))
    # after a restart torchrun gives the same store, in which processes would find the addresses of the dead
    store = dist.PrefixStore(f"restart_{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size)
    try:
        yield
    finally:
        dist.destroy_process_group()
        _leave(store, rank, world_size)


def _leave(store: dist.Store, rank: int, world_size: int) -> None:
    """End after the others, for the first process: it may hold the store that they are connected to."""
    with suppress(RuntimeError):  # some are dead
        store.set(f"left_{rank}", "")
        if rank == 0:
            store.wait([f"left_{other}" for other in range(world_size)], timedelta(seconds=5))


@dataclass(frozen=True)
class Place:
    """Which process this is, of how many, and its device."""

    rank: int
    world_size: int
    device: torch.device

    @classmethod
    def here(cls, device: str) -> "Place":
        """This process: of the group that torch.distributed has, or alone."""
        chosen = choose_device(device)
        if not (dist.is_available() and dist.is_initialized()):
            return cls(0, 1, chosen)
        if chosen.type == "cuda":
            chosen = torch.device("cuda", torch.cuda.current_device())
        return cls(dist.get_rank(), dist.get_world_size(), chosen)

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def wrap(self, model: nn.Module, unused: bool) -> nn.Module:
        """The model with gradients averaged over processes; `unused`: some parameters get none."""
        if self.world_size == 1:
            return model
        places = [self.device] if self.device.type == "cuda" else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # its other name is not in all versions
            return DistributedDataParallel(model, device_ids=places, broadcast_buffers=False,
                                           find_unused_parameters=unused)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Mean over processes."""
        if self.world_size > 1:
            dist.all_reduce(values)
        return values / self.world_size

    def gather(self, value) -> list:
        """Everybody's value, in the order of ranks."""
        if self.world_size == 1:
            return [value]
        values = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def told(self, value):
        """The first process's value."""
        return self.gather(value)[0]

    def first_does(self, work: Callable[[], object]):
        """What `work` returns on the first process; where it raises, all processes end.

        Raises
        ------
        ToldError
            On the other processes; on the first one what `work` raised.
        """
        value = fault = None
        if self.first:
            try:
                value = work()
            except Exception as error:
                fault = error
        value, said = self.told((value, None if fault is None else str(fault)))
        if said is not None:
            self.gather(None)  # nobody leaves while another one still listens
        if fault is not None:
            raise fault
        if said is not None:
            raise ToldError(said)
        return value

    def check_same(self, model: nn.Module, step: int) -> None:
        """Raise where the processes' weights, codebooks included, are no longer the same to the bit."""
        if self.world_size > 1 and len(set(self.gather(fingerprint(model.state_dict())))) > 1:
            raise RuntimeError(f"after step {step} the processes' weights differ. Their machines or libraries may not "
                               f"be the same; start again on equal ones: the last checkpoint is sound.")
