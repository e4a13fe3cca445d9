"""A fully connected layer of capsules with poses and activations."""

from typing import Any, Protocol, runtime_checkable

from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers.votes import Votes


@runtime_checkable
class Routing(Protocol):
  """A module that routes votes; it has the parameters of the routing."""

  def __call__(
    self,
    inputs: ops.Capsules,
    votes: Float[Array, '...'],
    *,
    train: bool,
    axis_name: str | None,
    return_couplings: bool,
  ) -> Any:
    """Computes the capsules of the layer above.

    Args:
      inputs: the capsules that vote.
      votes: `[*batch, in_caps, out_caps, *pose]`.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.
      return_couplings: whether to return the couplings too.

    Returns:
      Capsules, or a pair of the capsules and the couplings `[num_iterations,
      *batch, in_caps, out_caps]`.
    """


class RoutedCapsules(nn.Module):
  """A fully connected capsule layer: votes, then routing.

  To read the couplings of every iteration, apply the model with
  `mutable=['intermediates']` and look for `couplings`.

  Attributes:
    votes: computes the votes, such as `FullVotes`; its fields give the number
      of output capsules and the shape of their poses.
    routing: routes the votes, such as `SelfAttentionRouting`.
  """

  votes: Votes
  routing: Routing

  @nn.compact
  def __call__(
    self,
    inputs: ops.Capsules,
    *,
    train: bool = False,
    axis_name: str | None = None,
  ) -> ops.Capsules:
    """Maps capsules to capsules.

    Args:
      inputs: the capsules of the layer below.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.
    """
    is_read = self.is_mutable_collection('intermediates')
    result = self.routing(
      inputs,
      self.votes(inputs),
      train=train,
      axis_name=axis_name,
      return_couplings=is_read,
    )
    if not is_read:
      return result
    capsules, couplings = result
    self.sow('intermediates', 'couplings', couplings)
    return capsules
