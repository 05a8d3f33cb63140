"""Upsampling by transposed convolutions: sizes, fields, and what overlap has to do with checkerboards."""

from ganzfeld.lab.experiments.upsampling.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.upsampling.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.upsampling.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.upsampling.toy import SECTION as SECTION
from ganzfeld.lab.experiments.upsampling.toy import SHORT as SHORT
from ganzfeld.lab.experiments.upsampling.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.upsampling.toy import Settings as Settings
from ganzfeld.lab.experiments.upsampling.toy import advice as advice
from ganzfeld.lab.experiments.upsampling.toy import bench as bench
from ganzfeld.lab.experiments.upsampling.toy import draw as draw
from ganzfeld.lab.experiments.upsampling.toy import in_situ as in_situ
