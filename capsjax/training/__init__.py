"""Training and evaluation on one or more devices, without file access."""

from capsjax.training.evaluation import (
  EvalStep,
  EvaluateFn,
  create_eval_step,
  evaluate,
  padded_batches,
)
from capsjax.training.freezing import (
  freeze,
)
from capsjax.training.loop import (
  Plan,
  fit,
)
from capsjax.training.metrics import (
  Metrics,
  Results,
)
from capsjax.training.objective import (
  Losses,
  Objective,
  activation_losses,
  capsule_losses,
  cross_entropy_losses,
  sigmoid_losses,
  spread_losses,
  spread_margin,
)
from capsjax.training.optimizer import (
  create_optimizer,
  create_schedule,
)
from capsjax.training.parallel import (
  DEVICE_AXIS,
  Devices,
  TrainFn,
)
from capsjax.training.progress import (
  Progress,
)
from capsjax.training.reporter import (
  Reporter,
)
from capsjax.training.signals import (
  StopRequest,
)
from capsjax.training.state import (
  RunKeys,
  TrainState,
  create_state,
)
from capsjax.training.step import (
  Steps,
  TrainStep,
  create_steps,
  create_train_step,
  gradient_norms,
)
from capsjax.training.streaming import (
  stream_evaluation,
  stream_training,
  window,
)

__all__ = [
  'DEVICE_AXIS',
  'Devices',
  'EvalStep',
  'EvaluateFn',
  'Losses',
  'Metrics',
  'Objective',
  'Plan',
  'Progress',
  'Reporter',
  'Results',
  'RunKeys',
  'StopRequest',
  'TrainFn',
  'TrainState',
  'TrainStep',
  'activation_losses',
  'capsule_losses',
  'create_eval_step',
  'create_optimizer',
  'create_schedule',
  'create_state',
  'create_train_step',
  'cross_entropy_losses',
  'evaluate',
  'fit',
  'freeze',
  'gradient_norms',
  'padded_batches',
  'sigmoid_losses',
  'spread_losses',
  'spread_margin',
  'stream_evaluation',
  'stream_training',
  'Steps',
  'create_steps',
  'window',
]
