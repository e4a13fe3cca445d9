"""Tiny networks for 12x12 images of four classes."""

import capsjax
from capsjax.models import EfficientCapsNet, create_model

CAPSNET = capsjax.CapsNet(
  num_classes=4,
  conv_features=8,
  num_types=2,
  conv_kernel_size=(3, 3),
  primary_kernel_size=(3, 3),
  decoder_sizes=(8,),
)
NETWORKS = {
  'capsnet': CAPSNET,
  'pairs': CAPSNET.clone(num_labels=2),
  'efficient_capsnet': EfficientCapsNet(
    num_classes=4,
    conv_features=(4, 8),
    conv_kernel_sizes=(3, 3),
    conv_strides=(1, 2),
    num_primary=4,
    primary_dim=2,
    decoder_sizes=(8,),
  ),
  # EM routing differs in nothing that matters to these tests.
  'vb_capsules': create_model(
    'vb_capsules',
    num_classes=4,
    conv_features=4,
    conv_kernel_size=(3, 3),
    num_types=2,
    capsule_types=(2,),
    capsule_kernel_sizes=(3,),
    capsule_strides=(1,),
    pose_side=2,
    routing={'name': 'variational', 'num_iterations': 2},
  ),
  'baseline': capsjax.BaselineCNN(
    num_classes=4,
    conv_features=(4, 4),
    conv_kernel_sizes=(3, 3),
    pool_size=2,
    dense_sizes=(8,),
  ),
}
