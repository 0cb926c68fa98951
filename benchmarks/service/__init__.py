"""The classifier alone against the whole path: `make bench`."""
