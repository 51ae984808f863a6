"""One file a command of `python -m llada_demo`; each has `add_arguments(parser)` and `run(args) -> int`."""
