"""A Ray cluster of two nodes on this machine, a processor each, in a process of its own, which leaves nothing open in
that of the tests: says its address, does what is asked for on standard input, and ends with it."""

from __future__ import annotations

import sys
from typing import Any

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 100 * 2**20}

#: A node that dies without a word is missed soon.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}


def main() -> None:
    """``swap`` kills the node that is not the head, and has another join."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args={**NODE, "include_dashboard": False, "_system_config": QUICK})
    other = cluster.add_node(**NODE)
    print(f"address {cluster.address}", flush=True)
    for line in sys.stdin:
        if line.strip() == "swap":
            cluster.remove_node(other, allow_graceful=False)
            other = cluster.add_node(**NODE)
    cluster.shutdown()


if __name__ == "__main__":
    main()
