"""What the prior of the latent vector does to the first maps, and what a normalisation leaves of it."""

from ganzfeld.lab.experiments.latent_prior.toy import CLAIM as CLAIM
from ganzfeld.lab.experiments.latent_prior.toy import CLAIM_ZH as CLAIM_ZH
from ganzfeld.lab.experiments.latent_prior.toy import FORMULAS as FORMULAS
from ganzfeld.lab.experiments.latent_prior.toy import SECTION as SECTION
from ganzfeld.lab.experiments.latent_prior.toy import SHORT as SHORT
from ganzfeld.lab.experiments.latent_prior.toy import THOROUGH as THOROUGH
from ganzfeld.lab.experiments.latent_prior.toy import Settings as Settings
from ganzfeld.lab.experiments.latent_prior.toy import advice as advice
from ganzfeld.lab.experiments.latent_prior.toy import bench as bench
from ganzfeld.lab.experiments.latent_prior.toy import draw as draw
from ganzfeld.lab.experiments.latent_prior.toy import in_situ as in_situ
