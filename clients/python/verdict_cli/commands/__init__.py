"""The commands: each module has a function of its own name, which typer turns into the command."""
