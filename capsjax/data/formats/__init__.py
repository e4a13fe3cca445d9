"""File formats that data sets come in, and downloading them."""
