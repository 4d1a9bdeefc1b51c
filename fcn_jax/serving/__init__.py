"""A trained network behind a page in the browser, and behind an endpoint of JSON."""
