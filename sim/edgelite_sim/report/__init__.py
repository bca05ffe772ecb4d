"""What a run of the simulator looked like: recorded while it runs, drawn afterwards as a page or a picture."""
