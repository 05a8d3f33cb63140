import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ganzfeld.errors import ResourceError
from ganzfeld.lock import locked, owner


class StillTaken(Exception):
    pass


def give_up() -> None:
    raise StillTaken


def test_one_at_a_time_and_free_afterwards(tmp_path: Path):
    lock = tmp_path / "lock"
    with locked(lock, give_up), pytest.raises(StillTaken), locked(lock, give_up):
        pass
    with locked(lock, give_up):
        pass


def test_a_holder_that_is_killed_lets_go(tmp_path: Path):
    lock = tmp_path / "lock"
    code = f"""
        import time
        from pathlib import Path
        from ganzfeld.lock import locked, owner
        with locked(Path({str(lock)!r}), lambda: None):
            print("held", flush=True)
            time.sleep(60)
    """
    holder = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    with pytest.raises(StillTaken), locked(lock, give_up):
        pass
    holder.kill()
    holder.communicate()
    with locked(lock, give_up):
        pass


def test_a_lock_that_cannot_be_made(tmp_path: Path):
    with pytest.raises(ResourceError), locked(tmp_path / "missing" / "lock", give_up):
        pass


def test_the_file_says_who_holds_it(tmp_path: Path):
    lock = tmp_path / "lock"
    assert owner(lock) == "another process"
    lock.write_text("process 1 on a machine with a long name, which stopped long ago\n")
    with locked(lock, give_up):
        assert owner(lock).startswith(f"process {os.getpid()} on ")
        assert "long ago" not in owner(lock)
