"""What every runtime tells a workload about itself."""

from edgelite_protocol.messages import WORKLOAD_NAME, WORKLOAD_NAMESPACE, WORKLOAD_UID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def own_variables(node: str, workload: "dict[int, Any]") -> "dict[str, str]":
    """Who runs this where."""
    return {
        "EDGELITE_NODE": node,
        "EDGELITE_POD_NAME": workload[WORKLOAD_NAME],
        "EDGELITE_POD_NAMESPACE": workload[WORKLOAD_NAMESPACE],
        "EDGELITE_POD_UID": workload[WORKLOAD_UID],
    }


def expand(text: str, environment: "dict[str, str]") -> str:
    """$(EDGELITE_ROOT) and the like: the hub resolved all other references and could not know these."""
    for name in environment:
        if name.startswith("EDGELITE_"):
            text = text.replace("$(%s)" % name, environment[name])
    return text
