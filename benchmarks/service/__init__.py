"""The classifier alone against the whole service: `make bench`."""
