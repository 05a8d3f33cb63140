"""Which losses and stabilisers find all modes of a mixture whose density is known."""

from ganzfeld.lab.experiments.ring.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.ring.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.ring.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.ring.toy import SECTION as SECTION
from ganzfeld.lab.experiments.ring.toy import SHORT as SHORT
from ganzfeld.lab.experiments.ring.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.ring.toy import Settings as Settings
from ganzfeld.lab.experiments.ring.toy import advice as advice
from ganzfeld.lab.experiments.ring.toy import bench as bench
from ganzfeld.lab.experiments.ring.toy import draw as draw
from ganzfeld.lab.experiments.ring.toy import in_situ as in_situ
