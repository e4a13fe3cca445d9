"""The same network in PyTorch, as an experienced user would write it.

Two convolutions, votes and routing by einsum, no tiling, no loop over capsules,
and PyTorch's own fused Adam. It is the yardstick of the benchmarks: written to
be as fast as plain PyTorch gets, not to be used.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

_STEPS_BEFORE_CAPTURE = 3


class CapsNet(nn.Module):
  """The paper's network, from images `[batch, channels, h, w]` to the loss."""

  def __init__(
    self,
    *,
    image_shape: tuple[int, int, int] = (28, 28, 1),
    num_classes: int = 10,
    num_iterations: int = 3,
    conv_features: int = 256,
    num_types: int = 32,
    decoder_sizes: tuple[int, int] = (512, 1024),
  ) -> None:
    super().__init__()
    height, width, channels = image_shape
    self.num_iterations, self.num_types = num_iterations, num_types
    self.conv = nn.Conv2d(channels, conv_features, 9)
    self.primary = nn.Conv2d(conv_features, num_types * 8, 9, stride=2)
    positions = ((height - 16) // 2 + height % 2) * (
      (width - 16) // 2 + width % 2
    )
    in_caps = positions * num_types
    self.kernel = nn.Parameter(0.1 * torch.randn(in_caps, num_classes, 8, 16))
    first, second = decoder_sizes
    self.decoder = nn.Sequential(
      nn.Linear(num_classes * 16, first),
      nn.ReLU(),
      nn.Linear(first, second),
      nn.ReLU(),
      nn.Linear(second, height * width * channels),
      nn.Sigmoid(),
    )

  def capsules(self, images: Tensor) -> Tensor:
    """Computes class capsules `[batch, num_classes, 16]`."""
    features = self.primary(functional.relu(self.conv(images)))
    # All types of one position together, as in capsjax.
    inputs = features.permute(0, 2, 3, 1).reshape(len(images), -1, 8)
    votes = torch.einsum('bid,ijde->bije', squash(inputs), self.kernel)
    return dynamic_routing(votes, num_iterations=self.num_iterations)

  def forward(self, images: Tensor, targets: Tensor) -> Tensor:
    """Computes the mean margin loss plus 0.0005 times the squared error."""
    capsules = self.capsules(images).float()
    lengths = capsules.norm(dim=-1)
    margin = (
      targets * functional.relu(0.9 - lengths) ** 2
      + 0.5 * (1 - targets) * functional.relu(lengths - 0.1) ** 2
    ).sum(-1)
    pixels = self.decoder((capsules * targets[..., None]).flatten(1)).float()
    originals = images.permute(0, 2, 3, 1).flatten(1)
    reconstruction = ((pixels - originals) ** 2).sum(-1)
    return (margin + 0.0005 * reconstruction).mean()


def squash(preactivations: Tensor) -> Tensor:
  """Equation 1, with an epsilon, as PyTorch users write it."""
  square = (preactivations**2).sum(-1, keepdim=True)
  return preactivations * (square / (1 + square) / torch.sqrt(square + 1e-9))


def dynamic_routing(votes: Tensor, *, num_iterations: int = 3) -> Tensor:
  """Procedure 1 over votes `[batch, in_caps, out_caps, dim]`."""
  logits = torch.zeros(votes.shape[:-1], dtype=votes.dtype, device=votes.device)
  for iteration in range(num_iterations):
    couplings = functional.softmax(logits, dim=-1)
    capsules = squash(torch.einsum('bij,bije->bje', couplings, votes))
    if iteration < num_iterations - 1:
      logits = logits + torch.einsum('bije,bje->bij', votes, capsules)
  return capsules


class TrainStep:
  """Takes one training step per batch, without waiting for it.

  Args:
    network: the network, on its device.
    compiled: whether `torch.compile` compiles it.
    dtype: 'float32', or 'bfloat16' by autocast.
    as_graph: whether the first batch captures the whole step as a CUDA graph;
      all batches must have the same shape.
  """

  def __init__(
    self,
    network: CapsNet,
    *,
    compiled: bool = False,
    dtype: str = 'float32',
    as_graph: bool = False,
  ) -> None:
    self._network = torch.compile(network) if compiled else network
    self._optimizer = torch.optim.Adam(
      network.parameters(), lr=1e-3, fused=True, capturable=as_graph
    )
    device = next(network.parameters()).device
    self._autocast = torch.autocast(
      device.type, torch.bfloat16, enabled=dtype == 'bfloat16'
    )
    self._as_graph = as_graph
    self._graph: torch.cuda.CUDAGraph | None = None

  def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
    """Takes one step and returns the loss."""
    if not self._as_graph:
      return self._step(images, targets)
    if self._graph is None:
      return self._capture(images, targets)
    self._inputs[0].copy_(images)
    self._inputs[1].copy_(targets)
    self._graph.replay()
    return self._loss

  def _step(self, images, targets):
    self._optimizer.zero_grad(set_to_none=True)
    with self._autocast:
      loss = self._network(images, targets)
    loss.backward()
    self._optimizer.step()
    return loss

  def _capture(self, images, targets):
    """Takes warm-up steps, as PyTorch requires, and captures one."""
    self._inputs = images.clone(), targets.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
      for _ in range(_STEPS_BEFORE_CAPTURE):
        loss = self._step(*self._inputs)
    torch.cuda.current_stream().wait_stream(stream)
    self._graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(self._graph):
      self._loss = self._step(*self._inputs)
    return loss


class ShiftedImages(Dataset):
  """Images `[h, w, c]` in bytes, padded and cropped at random, with labels."""

  def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
    images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    self._padded = functional.pad(images, (2, 2, 2, 2))
    self._labels = torch.from_numpy(labels).long()
    self._shape = images.shape[2:]

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
    (top, left), (height, width) = torch.randint(5, (2,)).tolist(), self._shape
    image = self._padded[index, :, top : top + height, left : left + width]
    return image.float() / 255, self._labels[index]


def create_loader(
  images: np.ndarray, labels: np.ndarray, *, batch_size: int, workers: int
) -> DataLoader:
  """Shuffled batches, made by worker processes that persist across epochs."""
  return DataLoader(
    ShiftedImages(images, labels),
    batch_size,
    shuffle=True,
    drop_last=True,
    num_workers=workers,
    pin_memory=torch.cuda.is_available(),
    persistent_workers=True,
    # A forked process would lack JAX's threads.
    multiprocessing_context='spawn',
  )


def load_params(network: CapsNet, params: Mapping[str, Any]) -> None:
  """Copies the parameters of `capsjax.CapsNet` into the network."""

  def put(parameter, array, *axes):
    array = np.asarray(array)
    array = np.transpose(array, axes) if axes else array
    parameter.data.copy_(torch.from_numpy(array.copy()))

  put(network.conv.weight, params['conv']['kernel'], 3, 2, 0, 1)
  put(network.conv.bias, params['conv']['bias'])
  primary = params['primary_capsules']
  put(network.primary.weight, primary['cell']['kernel'], 3, 2, 0, 1)
  put(network.primary.bias, np.ravel(primary['bias']))
  put(network.kernel, params['class_capsules']['kernel'])
  layers = [m for m in network.decoder if isinstance(m, nn.Linear)]
  for index, layer in enumerate(layers):
    put(layer.weight, params['decoder'][f'Dense_{index}']['kernel'], 1, 0)
    put(layer.bias, params['decoder'][f'Dense_{index}']['bias'])
