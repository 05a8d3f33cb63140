"""Many real images have a class label in the loop that is not their class in the data."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("wrong_labels",)


def applies(run: RunEvidence) -> bool:
    """Return whether the loop gives class labels to its networks."""
    return is_watched(run) and run.recipe["classes"] != "none"


def find(run: RunEvidence) -> Finding | None:
    """Check the labels of real images that are recognised in the data."""
    wrong = high(run, "wrong_labels", "the share of wrong labels")
    if not wrong:
        return None
    num = last(run, "labels_compared")
    text = (
        f"{figure(100 * wrong.value)} % of {figure(num)} real images that were recognised in the data have "
        "a label "
        "of another class in the loop"
    )
    return Finding(
        "wrong-class-labels",
        "sick",
        wrong.since_images,
        (stated(text, wrong, labels_compared=num),),
        "Images and labels come from lists in different orders, or were shuffled separately; or the labels "
        "of "
        "generated images are used for real ones.",
        Remedy(
            "Take an image and its label from the same place, and shuffle both together.",
            code=("real, labels = next(batches)  # from one dataset of pairs",),
        ),
    )
