"""Describes the machine that a number was measured on."""

import importlib.util
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def describe(packages: Sequence[str] = ('jax', 'flax')) -> dict[str, str]:
  """Describes hardware, device and versions.

  Args:
    packages: the packages whose versions to include; those not installed are
      left out.
  """
  import jax

  versions = [f'python {platform.python_version()}']
  for name in packages:
    if importlib.util.find_spec(name):
      versions.append(f'{name} {metadata.version(name)}')
  device = jax.devices()[0]
  return {
    'hardware': f'{platform.machine()}, {os.cpu_count()} cores, {_cpu()}',
    'device': f'{device.platform}, {device.device_kind}',
    'versions': ', '.join(versions),
  }


def _cpu() -> str:
  try:
    lines = Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    return platform.processor() or 'unknown'
  names = [
    line.split(':')[1].strip()
    for line in lines
    if line.startswith('model name')
  ]
  return names[0] if names else 'unknown'
