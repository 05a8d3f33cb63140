"""Anomalies: images, and places in them, that are unlike the normal images that are named.

The generator reproduces each image as well as it can. What it leaves is compared with what it leaves of
normal images, in five steps, one per file:

    residual      what is usual in residuals, heat maps, and scores of images
    linear        the directions in which residuals usually vary
    calibration   scores of images that nothing was fitted to, and the threshold for a rate of false alarms
    baselines     the same without the generator, and the nearest normal image
    ranking       the area under the ROC curve with its interval, and the difference between two
    detection     all of these for a run: ``gz.anomalies``
    files         images that users name, their labels, and the files written
"""

from ganzfeld.inside.anomaly.detection import Anomalies, anomalies

__all__ = ["Anomalies", "anomalies"]
