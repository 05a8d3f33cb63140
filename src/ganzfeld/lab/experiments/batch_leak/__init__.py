"""What a discriminator with statistics across the batch learns from the company a picture is in."""

from ganzfeld.lab.experiments.batch_leak.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.batch_leak.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.batch_leak.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.batch_leak.toy import SECTION as SECTION
from ganzfeld.lab.experiments.batch_leak.toy import SHORT as SHORT
from ganzfeld.lab.experiments.batch_leak.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.batch_leak.toy import Settings as Settings
from ganzfeld.lab.experiments.batch_leak.toy import advice as advice
from ganzfeld.lab.experiments.batch_leak.toy import bench as bench
from ganzfeld.lab.experiments.batch_leak.toy import draw as draw
from ganzfeld.lab.experiments.batch_leak.toy import in_situ as in_situ
