"""The layouts of the corpus: headers, field names, numbering, and how often each style occurs.

The layouts of lists, example sheets, label-first sheets and classification sheets are the ones in
which Self-Instruct prompts a base model, so the four steps of that recipe are familiar to it.
"""

from __future__ import annotations

LIST_HEADER = "Come up with a series of tasks:"
CLASSIFICATION_LIST_HEADER = "Come up with a series of classification tasks:"
CLASSIFICATION_QUESTION = "Is it classification?"
BLANK = "....."
"""What stands where an answer was left out."""

STYLE_SHARES = {"blank": 0.45, "bare": 0.25, "wrong": 0.17, "wordy": 0.13}
"""Hidden styles of sheets."""

FIELD_NAMES: dict[tuple[str, str, str], float] = {
    ("Task", "Input", "Output"): 0.60,
    ("Exercise", "Given", "Solution"): 0.10,
    ("Instruction", "Text", "Response"): 0.10,
    ("Problem", "Data", "Result"): 0.10,
    ("Assignment", "Material", "Reply"): 0.10,
}

SHEET_HEADERS = (
    "Worksheet for today.",
    "Exercises with solutions:",
    "Practice makes perfect.",
    "Do the following tasks.",
    "From the notebook of a pupil:",
)
EXAMPLE_HEADERS = (
    "Come up with examples for the following tasks.",
    "Come up with examples for the tasks. Give several examples where possible.",
    "Examples for each task:",
    "Give examples of the input and the output of each task.",
)
LABEL_HEADERS = (
    "Come up with an input for each class label of the following tasks.",
    "Give an example for every label of the classification task.",
    "Examples for each class label:",
)
CLASSIFICATION_HEADERS = (
    "Can the following task be regarded as a classification task with finite output labels?",
    "Decide for each task whether it is a classification task.",
    "Which of these tasks have a small set of possible answers?",
)
LIST_HEADERS = (
    "Tasks:",
    "List of exercises:",
    "Here are some tasks for a test:",
    "Ideas for exercises:",
)
WORDY_FRAMES = (
    ("Well, I would say ", " here."),
    ("That must be ", ", I believe."),
    ("My guess for this one is ", " but I am not sure."),
    ("It is easy: ", " of course."),
)
"""Right answers wrapped in words: (before, after)."""

LIST_MARKS: dict[str, int] = {"Task {}: ": 45, "{}. ": 40, "{}) ": 5, "- ": 5, "({}) ": 5}
"""How list items are marked, with weights."""
