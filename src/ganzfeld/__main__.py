"""``python -m ganzfeld`` is the command ``ganzfeld``."""

import os
import sys

from ganzfeld.cli import main
from ganzfeld.launch import launch


def _main() -> None:
    """Run the command line; one of several processes then ends at once.

    Threads of torch.distributed may outlive the group, and an interpreter that takes itself apart beside them
    now and then aborts ("terminate called without an active exception"): a launcher would start all of them
    again after a training that ended well.
    """
    try:
        main()
    except SystemExit as ended:
        if launch().world_size > 1 and (ended.code is None or isinstance(ended.code, int)):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(ended.code or 0)
        raise


if __name__ == "__main__":
    _main()
