"""The command line.

python -m llada_demo attend | bench | chat | compare | curate | doctor | evaluate | finetune | pretrain | scenes | trace
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from llada_demo.core.errors import UserError

COMMANDS = (
    "attend",
    "bench",
    "chat",
    "compare",
    "curate",
    "doctor",
    "evaluate",
    "finetune",
    "pretrain",
    "scenes",
    "trace",
)


def main(argv: list[str] | None = None) -> int:
    """Runs one command. Returns 0, 2 for bad input (one line on stderr), 1 otherwise."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    parser = argparse.ArgumentParser(prog="python -m llada_demo", description="LLaDA in Indonesian.")
    commands = parser.add_subparsers(dest="command", required=True)
    modules = {name: importlib.import_module(f"llada_demo.commands.{name}") for name in COMMANDS}
    for name, module in modules.items():
        module.add_arguments(commands.add_parser(name, help=module.HELP, description=module.HELP))
    args = parser.parse_args(argv)
    try:
        return modules[args.command].run(args)
    except UserError as error:
        print(error.in_language("id" if os.environ.get("LANG", "").startswith("id") else "en"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1


if __name__ == "__main__":
    sys.exit(main())
