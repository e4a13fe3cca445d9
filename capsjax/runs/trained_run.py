"""A trained run, opened for reading."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Float, Int

from capsjax import console, ops
from capsjax.data import Dataset, match_classes
from capsjax.errors import UserError, nearest
from capsjax.examples import Preparation, SingleExamples
from capsjax.models import BaselineCNN, ModelOutput
from capsjax.runs import configuration
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import with_classes_of
from capsjax.runs.experiment import Experiment
from capsjax.runs.folder import RunFolder
from capsjax.runs.inference import Inference, first
from capsjax.runs.own_images import batched_images
from capsjax.runs.reading import read_dataset
from capsjax.runs.restoring import restore
from capsjax.training import Results


@dataclasses.dataclass(frozen=True)
class TrainedRun:
  """A run and one of its checkpoints.

  Attributes:
    experiment: the parts of the run.
    inference: applies its model to its test set.
    folder: its folder.
    step: the step of the checkpoint.
    variables: the network's variables in the checkpoint, on every device.
    has_data: whether the experiment has the data of the run, not a stand-in.

  Examples:
    >>> import capsjax
    >>> import numpy as np
    >>> from capsjax.data import load_digits
    >>> run = capsjax.load('runs/digits')
    >>> images = load_digits().test.images[:5]
    >>> capsules = run.capsules(images)
    >>> capsules.shape  # the capsules of this run have dimension 4
    (5, 10, 4)
    >>> np.array_equal(run.lengths(images).argmax(-1), run.predict(images))
    True
    >>> run.reconstruct(capsules, labels=3).shape  # as if all were a 3
    (5, 28, 28, 1)
    >>> run.predict(images[:, :20])
    Traceback (most recent call last):
    capsjax.errors.UserError: ...
  """

  experiment: Experiment
  inference: Inference
  folder: RunFolder
  step: int
  variables: Any
  has_data: bool = True

  @classmethod
  def open(
    cls,
    workdir: Path,
    *,
    config: Config | None = None,
    checkpoint_name: str = 'latest',
    dataset: Dataset | None = None,
  ) -> 'TrainedRun':
    """Reads a checkpoint, and the data unless they are given.

    Args:
      workdir: the folder of the run.
      config: the configuration; read from the folder if None.
      checkpoint_name: 'latest', 'best', or the number of a step.
      dataset: stands in for the data set, which is read if None.

    Raises:
      UserError: if there is no such run or checkpoint, or the data have other
        classes than the run was trained on.
    """
    which, folder = parse_checkpoint(checkpoint_name), RunFolder(workdir)
    folder.require_run()
    config = config or configuration.load_config(folder.config)
    has_data = dataset is None
    if dataset is None:
      dataset = with_classes_of(folder, read_dataset(config))
    experiment = Experiment.create(config, dataset)
    restored = restore(
      folder.checkpoints,
      experiment.state_template(),
      which=which,
      warn=print,
    )
    if restored is None:
      raise UserError(f'{folder} has no checkpoint yet; train it first')
    if folder.is_claimed():
      console.say(
        f'{folder} is being trained; reading its checkpoint of step '
        f'{restored.step:,}'
      )
    return cls(
      experiment,
      Inference(experiment),
      folder,
      restored.step,
      experiment.devices.replicate(restored.state.variables),
      has_data=has_data,
    )

  @property
  def config(self) -> Config:
    """The configuration of the run."""
    return self.experiment.config

  @property
  def params(self) -> Any:
    """The parameters: the variables without running statistics."""
    return self.variables['params']

  @property
  def model(self) -> nn.Module:
    """The network; `run.model.apply(run.variables, images)`."""
    return self.experiment.model

  @property
  def class_names(self) -> tuple[str, ...]:
    """The name of each class."""
    return self.experiment.dataset.class_names

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """Height, width and channels of the images to give to the methods below.

    Those of the data set; for a run on pairs, those of a pair.
    """
    if self.experiment.examples.num_objects > 1:
      return self.experiment.image_shape
    return self.experiment.dataset.image_shape

  @property
  def has_decoder(self) -> bool:
    """Whether the network can reconstruct."""
    return getattr(self.model, 'has_decoder', False)

  def predict(self, images: Any) -> Int[np.ndarray, '*axes']:
    """Returns the class of each image, as a number.

    Args:
      images: `[*axes, height, width, channels]` of the size `image_shape`,
        without channels if there is one; uint8, or floats in [0, 1].

    Returns:
      Class numbers `[*axes]`; for a run on pairs `[*axes, 2]`, ascending.

    Raises:
      UserError: if the images have another size, type or range.
    """
    scores = self.scores(images)
    count = self.experiment.examples.num_objects
    if count == 1:
      return np.asarray(scores.argmax(-1))
    return np.sort(np.argsort(-scores, -1, kind='stable')[..., :count], -1)

  def scores(self, images: Any) -> Float[np.ndarray, '*axes num_classes']:
    """Returns the length of each class capsule; of a baseline, its logits.

    Args:
      images: as for `predict`.
    """
    return self.outputs(images).scores

  def lengths(self, images: Any) -> Float[np.ndarray, '*axes num_classes']:
    """Returns the length of each class capsule, in [0, 1).

    Args:
      images: as for `predict`.

    Raises:
      UserError: if the network has no capsules.
    """
    self._require_capsules()
    return self.scores(images)

  def capsules(self, images: Any) -> Float[np.ndarray, '*axes num_classes dim']:
    """Returns the class capsules.

    Args:
      images: as for `predict`.

    Raises:
      UserError: if the network has no capsules.
    """
    self._require_capsules()
    return self.outputs(images).capsules

  def couplings(
    self, images: Any
  ) -> Float[np.ndarray, '*axes in_caps num_classes']:
    """Returns the couplings of the class capsules in the last iteration.

    Args:
      images: as for `predict`.

    Raises:
      UserError: if the network has no capsules.
    """
    self._require_capsules()
    return self._in_batches(self._couplings, images)

  def reconstruct(
    self,
    capsules: Any,
    *,
    labels: Any = None,
  ) -> Float[np.ndarray, '*axes h w c']:
    """Reconstructs images from class capsules.

    Args:
      capsules: as `capsules` returns them, perhaps changed.
      labels: the class `[*axes]` whose capsule is decoded; the longest capsule
        if None.

    Raises:
      UserError: if the network has no decoder, or the arrays do not fit it.
    """
    if not self.has_decoder:
      raise UserError(f'the network of {self.folder} has no decoder')
    capsules = np.asarray(capsules, np.float32)
    num_classes, dim = self.model.num_classes, self.model.capsule_dim
    if capsules.shape[-2:] != (num_classes, dim):
      raise UserError(
        f'the capsules have the shape {capsules.shape}, but the network has '
        f'class capsules of [..., {num_classes}, {dim}]'
      )
    axes = capsules.shape[:-2]
    if labels is None:
      labels = ops.lengths(jnp.asarray(capsules)).argmax(-1)
    labels = _require_classes(np.asarray(labels), axes, num_classes)
    flat = capsules.reshape(-1, num_classes, dim)

    def decode(start, stop):
      return self.inference.decode(
        self.params, flat[start:stop], labels[start:stop]
      )

    size = self.config.batch_size
    parts = [decode(start, start + size) for start in range(0, len(flat), size)]
    shape = *axes, *self.experiment.image_shape
    return np.concatenate(parts or [np.zeros(0, np.float32)]).reshape(shape)

  def evaluate(self, dataset: Dataset | None = None) -> Results:
    """Measures the network on every test image.

    Args:
      dataset: the data set; the one that the run was trained on if None.

    Raises:
      UserError: if the data are not there, have other classes, or do not fit
        the network.
    """
    if dataset is None and self.has_data:
      dataset = self.experiment.dataset
    elif dataset is None:
      dataset = read_dataset(self.config)
    trained = self.experiment.dataset
    if (dataset.image_shape, dataset.num_classes) != (
      trained.image_shape,
      trained.num_classes,
    ):
      raise UserError(
        f'{dataset.name} has {dataset.num_classes} classes and images of '
        f'{dataset.image_shape}; the network takes {trained.num_classes} and '
        f'{trained.image_shape}'
      )
    experiment = self.experiment
    if dataset is not trained:
      # Not `self.experiment`, which would hold on to these images.
      dataset = match_classes(dataset, trained.class_names)
      experiment = dataclasses.replace(experiment, dataset=dataset)
    return experiment.evaluate(self.variables, dataset.test)

  def outputs(self, images: Any) -> ModelOutput:
    """Returns scores, class capsules and reconstructions.

    Args:
      images: as for `predict`.
    """
    return self._in_batches(self._outputs, images)

  def prepare(self, images: jax.Array) -> jax.Array:
    """Returns images as the network takes them, prepared as for a test.

    Args:
      images: `[n, height, width, channels]` of the size `image_shape`; uint8,
        or float32 in [0, 1].
    """
    examples = self.experiment.examples
    if isinstance(examples, SingleExamples):
      return jax.vmap(examples.preparation.for_test)(images)
    # The images already show several objects.
    return jax.vmap(Preparation().for_test)(images)

  def _require_capsules(self) -> None:
    if isinstance(self.model, BaselineCNN):
      raise UserError(f'the network of {self.folder} has no capsules')

  def _in_batches(
    self, function: Callable[[Any, Any], Any], images: Any
  ) -> Any:
    """Applies a compiled function to images of any number and leading axes."""
    images, axes = batched_images(images, self.image_shape)
    # No images give results without elements, of the right shapes.
    count, found = max(len(images), 1), []
    for start in range(0, count, self.config.batch_size):
      batch = images[start : start + self.config.batch_size]
      # Padded to a power of two, so that few sizes are compiled.
      size = 1 << max(len(batch) - 1, 0).bit_length()
      padding = [(0, size - len(batch)), (0, 0), (0, 0), (0, 0)]
      with jax.default_matmul_precision(self.config.matmul_precision):
        results = function(self.variables, np.pad(batch, padding))
      results = jax.device_get(results)
      found.append(first(results, len(batch)))
    return jax.tree.map(
      lambda *parts: np.concatenate(parts).reshape(*axes, *parts[0].shape[1:]),
      *found,
    )

  @functools.cached_property
  def _outputs(self) -> Callable[[Any, Any], ModelOutput]:
    def apply(variables, images):
      return self.model.apply(variables, self.prepare(images))

    return jax.jit(apply)

  @functools.cached_property
  def _couplings(self) -> Callable[[Any, Any], jax.Array]:
    def apply(variables, images):
      _, found = self.model.apply(
        variables, self.prepare(images), mutable=['intermediates']
      )
      (couplings,) = found['intermediates']['class_capsules']['couplings']
      return couplings[-1]

    return jax.jit(apply)


def _require_classes(
  labels: np.ndarray, axes: tuple[int, ...], num_classes: int
) -> Int[np.ndarray, ' n']:
  """Returns one class per capsule, after checking shape and range.

  Raises:
    UserError: if there is another number of labels, or a label is no class.
  """
  is_whole = np.issubdtype(labels.dtype, np.integer)
  if labels.shape not in ((), axes) or not is_whole:
    raise UserError(
      f'labels are {labels.dtype} of the shape {labels.shape}; give one class '
      f'number, or one for each of the capsules {axes}'
    )
  if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
    raise UserError(
      f'labels run from {labels.min()} to {labels.max()}, but the classes are '
      f'0 to {num_classes - 1}'
    )
  return np.broadcast_to(labels, axes).reshape(-1)


def parse_checkpoint(name: str) -> Literal['latest', 'best'] | int:
  """Parses the value of `--checkpoint`.

  Raises:
    UserError: if it is neither 'latest', 'best' nor the number of a step.
  """
  names: tuple[Literal['latest', 'best'], ...] = ('latest', 'best')
  for known in names:
    if name == known:
      return known
  if name.isdecimal():
    return int(name)
  near = nearest(name, names)
  hint = f'; did you mean {near[0]}?' if near else ''
  raise UserError(
    f'--checkpoint {name}: must be latest, best, or the number of a step{hint}'
  )
