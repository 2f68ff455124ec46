"""One file per kind of chart; each function takes numbers and returns the text of an SVG."""
