"""A trained classifier in formats that other programs read without capsjax."""

import json
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util
from jax import export

from capsjax.runs.trained_run import TrainedRun
from capsjax.runtime import without_source_locations
from capsjax.version import VERSION

_PLATFORMS = ('cpu', 'cuda', 'tpu')


def serialize_weights(run: TrainedRun) -> bytes:
  """Returns the parameters in the safetensors format.

  Args:
    run: the trained run.

  Returns:
    Every parameter and running statistic under its flat name, such as
    `class_capsules.kernel`. The metadata are strings: the data set, its class
    names and the shape of its images in JSON, the input of
    `serialize_classifier`'s program, the step of the checkpoint, and the
    version of capsjax.
  """
  from safetensors.numpy import save

  params: dict[str, Any] = {}
  for collection in jax.device_get(run.variables).values():
    params |= traverse_util.flatten_dict(collection, sep='.')
  return save(
    params,
    metadata={
      'dataset': run.experiment.dataset.name,
      'class_names': json.dumps(run.class_names),
      'image_shape': json.dumps(run.image_shape),
      'classifier_input': describe_input(run),
      'step': str(run.step),
      'capsjax_version': VERSION,
    },
  )


def describe_input(run: TrainedRun) -> str:
  """Returns the type and shape of the images that the classifier takes."""
  return f'uint8 [batch, {", ".join(map(str, run.image_shape))}]'


def serialize_classifier(run: TrainedRun) -> bytes:
  """Returns the classifier, parameters included, as `jax.export` writes it.

  Args:
    run: the trained run.

  Returns:
    A program for CPUs, CUDA GPUs and TPUs. Its input is a batch of any size of
    uint8 images, as the data set has them, which leaves no doubt about their
    scale; it prepares them as for a test. Its output is `[batch, num_classes]`
    scores: the lengths of the class capsules, or a baseline's logits.
  """
  model: Any = run.model
  if run.has_decoder:
    model = model.clone(has_decoder=False)

  def classifier(images):
    return model.apply(run.variables, run.prepare(images)).scores

  (batch,) = export.symbolic_shape('batch')
  images = jax.ShapeDtypeStruct((batch, *run.image_shape), jnp.uint8)
  with (
    jax.default_matmul_precision(run.config.matmul_precision),
    without_source_locations(),
  ):
    exported = export.export(jax.jit(classifier), platforms=_PLATFORMS)(images)
  return bytes(exported.serialize())
