"""A figure as SVG; equal figures give equal bytes."""

from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def svg(figure: Figure) -> bytes:
    """Draw a figure, with its texts as texts."""
    drawn = BytesIO()
    with rc_context({"svg.hashsalt": "hakken", "svg.fonttype": "none"}):
        figure.savefig(drawn, format="svg", metadata=NO_METADATA)
    return drawn.getvalue()
