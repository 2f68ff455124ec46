"""ROUGE-L F of many pairs by rapidfuzz: `PYTHON rapidfuzz_pairs.py FILE ROWS`.

FILE is JSON, a list of texts as lists of tokens. The last ROWS of them are compared with all texts;
prints the CPU seconds of the comparison, the number of pairs, and for each row its highest score
among earlier texts.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
rows = int(sys.argv[2])
codes = {}
coded = ["".join(chr(0x10000 + codes.setdefault(t, len(codes))) for t in text) for text in texts]
lengths = np.array([len(text) for text in coded], dtype=np.float64)
best = []
began = time.process_time()
common = process.cdist(coded[-rows:], coded, scorer=LCSseq.similarity, dtype=np.uint16, workers=1)
spent = time.process_time() - began  # F from it would be more
precision, recall = common / lengths[-rows:, None], common / lengths[None, :]
with np.errstate(invalid="ignore"):
    scores = np.nan_to_num(2 * precision * recall / (precision + recall))
for number, row in enumerate(scores):
    best.append(float(row[: len(texts) - rows + number].max()))
print(json.dumps({"cpu_s": spent, "pairs": rows * len(texts), "best": best}))
