"""Workloads in the compact form that a node is sent, for tests of either runtime."""

from edgelite_protocol import messages as m


def process_form(command, policy, grace_ms, uid, more):
    """One container, "main". `more`: environment, files, directory, digest."""
    container = {
        m.CONTAINER_NAME: "main",
        m.CONTAINER_IMAGE: "host",
        m.CONTAINER_COMMAND: list(command),
        m.CONTAINER_ENVIRONMENT: more.get("environment", {}),
        m.CONTAINER_FILES: list(more.get("files", ())),
    }
    if "directory" in more:
        container[m.CONTAINER_WORKING_DIRECTORY] = more["directory"]
    if "digest" in more:
        container[m.CONTAINER_DIGEST] = more["digest"]
    return {
        m.WORKLOAD_UID: uid,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: "work",
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: policy,
        m.WORKLOAD_GRACE_MS: grace_ms,
        m.WORKLOAD_CONTAINERS: [container],
        m.WORKLOAD_GENERATION: 1,
    }
