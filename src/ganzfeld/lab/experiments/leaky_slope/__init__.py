"""How much of a gradient passes an activation: the mean slope, and the one that counts."""

from ganzfeld.lab.experiments.leaky_slope.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.leaky_slope.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.leaky_slope.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.leaky_slope.toy import SECTION as SECTION
from ganzfeld.lab.experiments.leaky_slope.toy import SHORT as SHORT
from ganzfeld.lab.experiments.leaky_slope.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.leaky_slope.toy import Settings as Settings
from ganzfeld.lab.experiments.leaky_slope.toy import advice as advice
from ganzfeld.lab.experiments.leaky_slope.toy import bench as bench
from ganzfeld.lab.experiments.leaky_slope.toy import draw as draw
from ganzfeld.lab.experiments.leaky_slope.toy import in_situ as in_situ
