"""What computes: devices, precision, processes, and how a step is made fast. Nothing above knows these."""
