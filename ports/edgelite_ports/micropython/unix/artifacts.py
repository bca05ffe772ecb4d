"""The artifact store where there is no thread: installing comes in steps, which the worker takes one a round."""

from edgelite_ports.posix import artifacts


class ArtifactStore(artifacts.ArtifactStore):
    def install(self, digest: bytes) -> object:
        """A generator that installs; its errors come while it is stepped."""
        return self.install_steps(digest)
