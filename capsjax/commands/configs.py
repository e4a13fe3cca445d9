"""The command `configs`: what can be trained without writing a file."""

from capsjax.runs import shipped


def run() -> None:
  """Prints the name and the first line of every configuration."""
  found = shipped.names()
  width = max(map(len, found))
  for name, meaning in found.items():
    print(f'{name:{width}}  {meaning}')
