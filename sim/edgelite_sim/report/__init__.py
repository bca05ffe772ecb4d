"""What a run of the simulator looked like: recorded while it runs, drawn afterwards as a page or a picture."""

from edgelite_sim.report.canvas import NoPillow, need_pillow
from edgelite_sim.report.image import write_png
from edgelite_sim.report.page import write_html
from edgelite_sim.report.recorder import Recorder
from edgelite_sim.report.recording import Outcome, Recording, RecordingError

__all__ = ["NoPillow", "Outcome", "Recorder", "Recording", "RecordingError", "need_pillow", "write_html", "write_png"]
