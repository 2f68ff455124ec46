"""Claim: tasks that need pictures, sound, files or the web go; text tasks that name them stay."""

from __future__ import annotations

import pytest

from selfsown.curate.media import needs_other_medium

CHECK = needs_other_medium()

DROPPED = {
    "Describe the photo in two sentences.": "needs_media",
    "Write a caption for this photo.": "needs_media",
    "Look at the picture and write a description.": "needs_media",
    "Look at the picture and name the animal.": "needs_media",
    "Summarize the video in three bullet points.": "needs_media",
    "Transcribe the audio recording.": "needs_media",
    "Listen to the recording and write down what is said.": "needs_media",
    "Watch the following clip and rate it.": "needs_media",
    "Use the chart below to answer the question.": "needs_media",
    "Show the river on the map.": "needs_media",
    "Find an image of a horse.": "needs_media",
    "Draw a picture of a house.": "asks_for_drawing",
    "Draw a mouse and an owl on paper.": "asks_for_drawing",
    "Create a bar chart of the sales figures.": "asks_for_drawing",
    "Plot a graph of the numbers.": "asks_for_drawing",
    "Plot the function y = x^2 for x from -2 to 2.": "asks_for_drawing",
    "Take a photo of your desk.": "asks_for_action",
    "Go to the shop and buy a lemon.": "asks_for_action",
    "Open the file about a dog.": "needs_file",
    "Count the rows in the attached spreadsheet.": "needs_file",
    "Go to https://example.com and summarise the page.": "needs_web",
    "Click the link and fill in the form.": "needs_web",
    "Find the meaning of this word by using google search engine.": "needs_web",
    "Do some research on the internet and answer the questions.": "needs_web",
}

KEPT = [
    "File a complaint about a late delivery.",
    "Map each word to its part of speech.",
    "Draw a conclusion from the two statements.",
    "Draw on your own experience in the answer.",
    "Compute the chance to draw two red cards from a deck.",
    "Write a letter that draws attention to the problem.",
    "Extract the domain name from the given URL.",
    "Write a Python function that reads a file and counts its lines.",
    "Write Python code that plots a histogram with matplotlib.",
    "Explain how image compression works.",
    "Give a plot summary of the novel.",
    "Suggest a video game for a rainy day.",
    "Write a script for a short YouTube video about bees.",
    "Make a list of the most popular podcasts.",
    "Name three graph algorithms and what they are for.",
    "Given a graph as a list of edges, find the shortest path from A to B.",
    "What are some tips to map out a career plan?",
    "Look at the big picture and state the main goal.",
    "How do I go to the airport from the centre?",
    "Give alternative text for the described photograph.",
]

# Known limits, pinned so that a change of either is noticed.
FALSE_ALARMS = ["Describe the image of the brand in the press."]
MISSES = ["What colour is the car that is parked at the left?", "Hum a tune that you like."]


@pytest.mark.parametrize(("text", "reason"), DROPPED.items())
def test_tasks_of_another_medium_are_dropped_with_their_reason(text: str, reason: str) -> None:
    assert CHECK(text).reason == reason


@pytest.mark.parametrize("text", KEPT)
def test_text_tasks_that_name_a_medium_are_kept(text: str) -> None:
    assert CHECK(text).ok


def test_known_false_alarms_and_misses_are_as_documented() -> None:
    assert not any(CHECK(text).ok for text in FALSE_ALARMS)
    assert all(CHECK(text).ok for text in MISSES)


def test_line_breaks_and_case_do_not_hide_a_medium() -> None:
    assert CHECK("DESCRIBE THE\n  PHOTO in two sentences.").reason == "needs_media"
