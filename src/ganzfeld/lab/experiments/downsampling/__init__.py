"""Downsampling by strided convolutions: sizes, fields, the pixels that a remainder loses, and pooling."""

from ganzfeld.lab.experiments.downsampling.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.downsampling.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.downsampling.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.downsampling.toy import SECTION as SECTION
from ganzfeld.lab.experiments.downsampling.toy import SHORT as SHORT
from ganzfeld.lab.experiments.downsampling.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.downsampling.toy import Settings as Settings
from ganzfeld.lab.experiments.downsampling.toy import advice as advice
from ganzfeld.lab.experiments.downsampling.toy import bench as bench
from ganzfeld.lab.experiments.downsampling.toy import draw as draw
from ganzfeld.lab.experiments.downsampling.toy import in_situ as in_situ
