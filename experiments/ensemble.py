"""Several trained networks as one: the sum of their capsule lengths."""

from collections.abc import Sequence

import numpy as np

from experiments.runs import Place, Run


def ensemble_error(run: Run, seeds: Sequence[int], place: Place) -> float:
  """The test error in percent of the networks of several seeds together.

  Args:
    run: what was trained.
    seeds: the seeds of the networks, all trained.
    place: where they are.

  Raises:
    UserError: if one of them is not there.
  """
  from capsjax import configuration
  from capsjax.commands.examples import all_predicted
  from capsjax.commands.trained import Trained

  total, targets = 0.0, None
  for seed in seeds:
    workdir = place.workdir(run, seed)
    words = [f'--config.data_dir={place.data_dir}'] if place.data_dir else []
    config = configuration.load(workdir / configuration.FILE_NAME, words)
    trained = Trained.open(config, workdir, checkpoint_name='latest')
    parts = list(trained.inference.apply_in_batches(trained.params))
    total = total + np.concatenate([output.scores for output, _ in parts])
    targets = np.concatenate([target for _, target in parts])
  return 100 * float(1 - all_predicted(total, targets).mean())
