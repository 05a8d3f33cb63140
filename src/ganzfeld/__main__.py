"""Run the command line by ``python -m ganzfeld``."""

import os
import sys

from ganzfeld.cli import main
from ganzfeld.launch import launch


def _main() -> None:
    """Run the command line; with several ranks, end the process without the interpreter's cleanup.

    Threads of torch.distributed may outlive the process group, and an interpreter that shuts down beside them
    sometimes aborts ("terminate called without an active exception"). The launcher would then restart all
    ranks after a run that ended normally.
    """
    try:
        main()
    except SystemExit as exit_request:
        if launch().world_size > 1 and (exit_request.code is None or isinstance(exit_request.code, int)):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(exit_request.code or 0)
        raise


if __name__ == "__main__":
    _main()
