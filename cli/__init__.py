"""The `verdict` command: runs the service, and talks to a running one."""
