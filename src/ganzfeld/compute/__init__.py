"""Devices, precision, processes, and the ways to make a step fast; the rooms above know none of these."""
