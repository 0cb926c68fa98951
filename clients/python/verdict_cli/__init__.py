"""The command line of a Verdict service: the commands that only need a running one."""
