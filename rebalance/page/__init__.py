"""PAGE: what was done, or what a tree holds, as one HTML file to look at."""
