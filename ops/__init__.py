"""How much the served app bears, and what it does when something around it fails. Linux only."""
