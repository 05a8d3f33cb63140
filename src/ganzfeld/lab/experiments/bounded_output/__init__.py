"""The slope of the output activation: in real numbers, and in those that a computer has."""

from ganzfeld.lab.experiments.bounded_output.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.bounded_output.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.bounded_output.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.bounded_output.toy import SECTION as SECTION
from ganzfeld.lab.experiments.bounded_output.toy import SHORT as SHORT
from ganzfeld.lab.experiments.bounded_output.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.bounded_output.toy import Settings as Settings
from ganzfeld.lab.experiments.bounded_output.toy import advice as advice
from ganzfeld.lab.experiments.bounded_output.toy import bench as bench
from ganzfeld.lab.experiments.bounded_output.toy import draw as draw
from ganzfeld.lab.experiments.bounded_output.toy import in_situ as in_situ
