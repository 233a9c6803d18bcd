"""How much the served app bears: rates beside a hello-world route, start, memory, live swaps, a soak."""
