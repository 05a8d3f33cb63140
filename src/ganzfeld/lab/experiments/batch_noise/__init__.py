"""How wrong the variance of a small batch is, and what it is of a batch of maps."""

from ganzfeld.lab.experiments.batch_noise.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.batch_noise.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.batch_noise.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.batch_noise.toy import SECTION as SECTION
from ganzfeld.lab.experiments.batch_noise.toy import SHORT as SHORT
from ganzfeld.lab.experiments.batch_noise.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.batch_noise.toy import Settings as Settings
from ganzfeld.lab.experiments.batch_noise.toy import advice as advice
from ganzfeld.lab.experiments.batch_noise.toy import bench as bench
from ganzfeld.lab.experiments.batch_noise.toy import draw as draw
from ganzfeld.lab.experiments.batch_noise.toy import in_situ as in_situ
