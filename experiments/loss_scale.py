"""Which of the official code's departures from the text makes the difference?

python -m experiments.loss_scale --size=cpu

The paper's text weighs reconstruction 20 times less than its code does. Each
row adopts one choice of the code, and the last row all of them.
"""

from experiments import table1
from experiments.comparison import Comparison
from experiments.runs import SMALL_STEPS, Run
from experiments.suite import main

COMPARISON = Comparison(
  name='loss_scale',
  title="The paper's text against its code, one departure at a time: MNIST",
  runs=(
    table1.ROUTING3_RECONSTRUCTION,
    Run('official_loss_ratio', 'mnist', ('--config.loss.margin_weight=0.05',)),
    # Only the smaller steps: our initial values make up for the scale.
    Run(
      'official_primary_scale',
      'mnist',
      (SMALL_STEPS,),
    ),
    Run('official_bias', 'mnist', ('--config.model.use_capsule_bias=True',)),
    Run(
      'official_initialization',
      'mnist',
      ('--config.model.initialization=official',),
    ),
    Run(
      'official_epsilon',
      'mnist',
      ('--config.optimizer.use_epsilon_hat=True',),
    ),
    Run(
      'official_start',
      'mnist',
      # The official code has no warm-up.
      ('--config.optimizer.warmup_steps=0',),
    ),
    Run('official', 'mnist_official', paper='0.25 ± 0.005'),
  ),
  sizes={
    'cpu': ('--config.num_epochs=1',),
    'full': ('--config.num_epochs=640',),
  },
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)

if __name__ == '__main__':
  main(COMPARISON)
