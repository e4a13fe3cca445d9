"""Table 1 of the paper on MNIST: routing and reconstruction, against a CNN.

python -m experiments.table1 --size=cpu
"""

from experiments.comparison import Comparison
from experiments.runs import TINY_BASELINE, Run
from experiments.suite import main

_NO_DECODER = '--config.model.has_decoder=False'
_ONE_ITERATION = '--config.model.routing.num_iterations=1'

# Also the first row of loss_scale.
ROUTING3_RECONSTRUCTION = Run(
  'routing3_reconstruction',
  'mnist',
  paper='0.25 ± 0.005',
  published='plain CapsNets 0.26 (imironhead), 0.29 (capsnet.mxnet); '
  'others 0.17, 0.13 in an ensemble (Byerly)',
)
COMPARISON = Comparison(
  name='table1',
  title='Table 1: MNIST',
  runs=(
    Run(
      'baseline',
      'mnist_baseline',
      smoke=TINY_BASELINE,
      paper='0.39',
      # 35 million parameters, and convolutions over whole images.
      is_small=False,
    ),
    Run(
      'routing1',
      'mnist',
      (_ONE_ITERATION, _NO_DECODER),
      paper='0.34 ± 0.032',
    ),
    Run(
      'routing1_reconstruction',
      'mnist',
      (_ONE_ITERATION,),
      paper='0.29 ± 0.011',
    ),
    Run('routing3', 'mnist', (_NO_DECODER,), paper='0.35 ± 0.036'),
    ROUTING3_RECONSTRUCTION,
  ),
  # The full size takes about 300,000 steps, as the official code does.
  sizes={
    'cpu': ('--config.num_epochs=1',),
    'full': ('--config.num_epochs=640',),
  },
  num_seeds={'smoke': 1, 'cpu': 2, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
