"""Somebody else's loop, watched: ``gz.watch`` writes a folder that the doctor reads.

    loop --hooks/recorder--> window, logits --monitor--> readings -> journal -> doctor

Nothing in the loop changes: not a weight, a gradient, a buffer, a mode, or a random number.
"""

from ganzfeld.watching.watch import Watch, watch

__all__ = ["Watch", "watch"]
