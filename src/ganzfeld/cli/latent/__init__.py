"""The commands of ``ganzfeld latent``, one file each."""
