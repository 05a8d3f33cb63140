"""The public surface: small, pinned, and free until used."""

import subprocess
import sys

import ganzfeld


def test_names():
    assert ganzfeld.__all__ == [
        "GanzfeldError",
        "Progress",
        "Recipe",
        "Run",
        "anomalies",
        "evaluate",
        "features",
        "first_filters",
        "lab",
        "latent_add",
        "latent_directions",
        "latent_walk",
        "latents_of_seeds",
        "linear_probe",
        "load",
        "open_images",
        "open_pictures",
        "open_run",
        "plan",
        "resolve",
        "resume",
        "strongest_images",
        "train",
        "watch",
    ]
    for name in ganzfeld.__all__:
        assert (getattr(ganzfeld, name).__doc__ or "").strip(), name
    assert set(ganzfeld.__all__) <= set(dir(ganzfeld))
    assert len(dir(ganzfeld)) == len(set(dir(ganzfeld)))


def test_the_first_name_of_open_images_still_opens_them():
    assert ganzfeld.open_pictures is ganzfeld.open_images


def test_help_imports_nothing_heavy():
    """What makes ``--help`` answer at once."""
    code = (
        "import sys\n"
        "from ganzfeld.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
