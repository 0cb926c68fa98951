"""The maintenance process, one service a file."""
