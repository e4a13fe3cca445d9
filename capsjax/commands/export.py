"""The command `export`: the classifier for programs without capsjax."""

from pathlib import Path

from capsjax import console
from capsjax.errors import require_extra
from capsjax.files import write_file
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import load_dataset_file
from capsjax.runs.exporting import (
  describe_input,
  serialize_classifier,
  serialize_weights,
)
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `weights.safetensors` and `classifier.stablehlo`.

  The training data are not needed if the folder of the run has a
  `dataset.json`.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.

  Returns:
    The path of `classifier.stablehlo`.

  Raises:
    UserError: if there is no such run or checkpoint, if `dataset.json` cannot
      be read, or if a package is not installed.
  """
  require_extra('export')
  trained = TrainedRun.open(
    workdir,
    config=config,
    checkpoint_name=checkpoint_name,
    dataset=load_dataset_file(RunFolder(workdir)),
  )
  folder = RunFolder(output)
  _write(folder.weights, serialize_weights(trained))
  _write(folder.classifier, serialize_classifier(trained))
  console.say(_usage(folder.classifier, trained))
  return folder.classifier


def _write(path: Path, content: bytes) -> None:
  write_file(path, content)
  console.say(f'written to {path} ({len(content) / 1e6:.1f} MB)')


def _usage(path: Path, trained: TrainedRun) -> str:
  """Returns lines of Python, indented, and what they need and mean."""
  images, num_classes = describe_input(trained), len(trained.class_names)
  return f"""\
To classify images without capsjax (pip install jax flatbuffers):
  import pathlib, jax.export
  program = pathlib.Path({str(path)!r}).read_bytes()
  scores = jax.export.deserialize(program).call(images)
images: {images}; scores: float32 [batch, {num_classes}]"""
