"""Keeps parts of a network as they are while the others are trained."""

from collections.abc import Sequence

import optax

from capsjax.errors import UserError, did_you_mean


def freeze(
  optimizer: optax.GradientTransformation, names: Sequence[str]
) -> optax.GradientTransformation:
  """Restricts an optimiser to the parts that are not named.

  It has neither state nor updates for frozen parts, so the training step leaves
  them as they are. Their gradients are unused, so XLA does not compute them.

  Args:
    optimizer: the optimiser.
    names: top-level keys of the parameters.

  Returns:
    An optimiser whose `init` raises a `UserError` if a name is unknown or
    nothing would be trained.
  """

  def trained(tree):
    return {name: part for name, part in tree.items() if name not in names}

  def init(params):
    for name in names:
      if name not in params:
        raise UserError(
          f'config.freeze has {name!r}, but the network has no such part; '
          f'{did_you_mean(name, params)}'
        )
    if not trained(params):
      raise UserError(
        'config.freeze has every part of the network; leave out those to train'
      )
    return optimizer.init(trained(params))

  def update(gradients, state, params=None):
    return optimizer.update(
      trained(gradients), state, params and trained(params)
    )

  return optax.GradientTransformation(init, update)
