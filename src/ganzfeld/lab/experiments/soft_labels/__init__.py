"""Soft labels keep the discriminator's lesson alive where it saturates, at the price of another optimum."""

from ganzfeld.lab.experiments.soft_labels.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.soft_labels.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.soft_labels.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.soft_labels.toy import SECTION as SECTION
from ganzfeld.lab.experiments.soft_labels.toy import SHORT as SHORT
from ganzfeld.lab.experiments.soft_labels.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.soft_labels.toy import Settings as Settings
from ganzfeld.lab.experiments.soft_labels.toy import advice as advice
from ganzfeld.lab.experiments.soft_labels.toy import bench as bench
from ganzfeld.lab.experiments.soft_labels.toy import draw as draw
from ganzfeld.lab.experiments.soft_labels.toy import in_situ as in_situ
