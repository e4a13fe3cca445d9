# The public names and their homes, read by type checkers and by lazy_loader.

from .checkpoint import Checkpointer
from .config import Config
from .configuration import (
  default_config,
  load_config,
  require_continues,
  save_config,
)
from .course import (
  curve,
  error_curve,
  read_course,
  training_seconds,
)
from .dataset_file import (
  load_dataset_file,
  require_same_dataset,
  save_dataset_file,
)
from .experiment import Experiment
from .folder import RunFolder
from .inside import look_inside
from .monitor import Monitor
from .restoring import (
  available_steps,
  best_metric,
  restore,
)
from .summary import start_summary
from .tracking import open_writers
from .trained_run import TrainedRun
from .trainer import (
  create_plan,
  train_run,
  training_scalars,
)

__all__ = [
  'Checkpointer',
  'Config',
  'Experiment',
  'Monitor',
  'RunFolder',
  'TrainedRun',
  'available_steps',
  'best_metric',
  'create_plan',
  'curve',
  'default_config',
  'error_curve',
  'load_config',
  'load_dataset_file',
  'look_inside',
  'open_writers',
  'read_course',
  'require_continues',
  'require_same_dataset',
  'restore',
  'save_config',
  'save_dataset_file',
  'start_summary',
  'train_run',
  'training_scalars',
  'training_seconds',
]
