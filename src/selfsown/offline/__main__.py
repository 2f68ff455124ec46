"""`python -m selfsown.offline DIRECTORY SEED`: the child process of a shuffled replay."""

import sys

from selfsown.offline.replaying import answer_parent

if __name__ == "__main__":
    sys.exit(answer_parent(sys.argv[1:]))
