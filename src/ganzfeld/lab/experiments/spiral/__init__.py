"""Training turns: the eigenvalues of the linearised game, and what the step size makes of them."""

from ganzfeld.lab.experiments.spiral.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.spiral.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.spiral.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.spiral.toy import SECTION as SECTION
from ganzfeld.lab.experiments.spiral.toy import SHORT as SHORT
from ganzfeld.lab.experiments.spiral.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.spiral.toy import Settings as Settings
from ganzfeld.lab.experiments.spiral.toy import advice as advice
from ganzfeld.lab.experiments.spiral.toy import bench as bench
from ganzfeld.lab.experiments.spiral.toy import draw as draw
from ganzfeld.lab.experiments.spiral.toy import in_situ as in_situ
