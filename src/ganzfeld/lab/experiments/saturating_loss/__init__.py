"""The minimax loss fades where the generator is worst; the non-saturating one does not."""

from ganzfeld.lab.experiments.saturating_loss.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.saturating_loss.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.saturating_loss.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.saturating_loss.toy import SECTION as SECTION
from ganzfeld.lab.experiments.saturating_loss.toy import SHORT as SHORT
from ganzfeld.lab.experiments.saturating_loss.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.saturating_loss.toy import Settings as Settings
from ganzfeld.lab.experiments.saturating_loss.toy import advice as advice
from ganzfeld.lab.experiments.saturating_loss.toy import bench as bench
from ganzfeld.lab.experiments.saturating_loss.toy import draw as draw
from ganzfeld.lab.experiments.saturating_loss.toy import in_situ as in_situ
