"""MultiMNIST: telling overlapping digits apart (section 6, Table 1, figure 5).

python -m experiments.multi_mnist --size=cpu

To draw figure 5 for a run, use `python -m capsjax.main reconstruct --workdir
DIR`.
"""

from experiments.comparison import Comparison
from experiments.runs import TINY_BASELINE, Run
from experiments.suite import main

COMPARISON = Comparison(
  name='multi_mnist',
  title='MultiMNIST: an image counts as correct if both digits are',
  runs=(
    Run(
      'baseline',
      'multi_mnist_baseline',
      group='multi_mnist',
      smoke=TINY_BASELINE,
      paper='8.1',
      is_small=False,
    ),
    Run(
      'routing1_reconstruction',
      'multi_mnist',
      ('--config.model.routing.num_iterations=1',),
      group='multi_mnist',
      paper='7.5',
    ),
    Run(
      'routing3_reconstruction',
      'multi_mnist',
      group='multi_mnist',
      paper='5.2',
      published='5.2 (the paper)',
    ),
    Run(
      'routing3_reconstruction_shift6',
      'multi_mnist',
      ('--config.pairs.max_shift=6',),
      group='multi_mnist',
      is_small=False,
    ),
  ),
  sizes={
    'cpu': ('--config.num_epochs=2',),
    # A test has 10 million pairs: more frequent tests would take most of the
    # time.
    'full': (
      '--config.pairs.test_pairs=1000',
      '--config.eval_every_epochs=250',
    ),
  },
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
