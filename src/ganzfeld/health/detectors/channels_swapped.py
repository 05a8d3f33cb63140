"""The loop reads red as blue and blue as red, compared with the data."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("channel_order",)

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check whether the channels of the loop's images fit those of the data better in reverse order."""
    order = high(run, "channel_order", "the misfit of the channels over that in reverse order")
    if not order:
        return None
    given, reverse = last(run, "channels_as_given"), last(run, "channels_reversed")
    text = (
        f"the colours of the loop's real images differ from those of the data by {figure(given)} standard "
        f"errors, but only by {figure(reverse)} with the channels in reverse order"
    )
    return Finding(
        "channels-swapped",
        "watch",
        order.since_images,
        (stated(text, order, channels_as_given=given, channels_reversed=reverse),),
        "The loop reads its images as blue, green, red, as OpenCV does, so generated images have wrong "
        "colours wherever they are shown as red, green, blue.",
        Remedy(
            "Convert the images where the loop reads them.",
            code=("image = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)",),
        ),
    )
