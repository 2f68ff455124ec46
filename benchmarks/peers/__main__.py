"""`python -m benchmarks.peers`: install what is missing and say what is there."""

from benchmarks.peers import peers

for peer in peers():
    print(f"{peer.name:<16}{', '.join(peer.packages):<36}{peer.python or peer.absent}")
